import io
import math
import random
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from PIL import Image, ImageOps

from runtime.errors import DataError, UsageError
from trainer.data.images import decode_image, encode_png, resize_image, resize_labels

PICTURE = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
SMOOTH = Image.fromarray(PICTURE[:4, :5]).resize((40, 24), Image.Resampling.BICUBIC)


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims any size, every checksum right."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(encode(SMOOTH, "JPEG"))
    at = data.index(b"\xff\xc0") + 5  # start of frame: marker, length, precision, height, width
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def test_decode_image_png_is_exact_contiguous_and_writable() -> None:
    decoded = decode_image(encode_png(PICTURE), "a.png")
    np.testing.assert_array_equal(decoded, PICTURE)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "RGB"])
def test_decode_image_png_of_any_8_bit_mode_becomes_rgb(mode: str) -> None:
    picture = Image.fromarray(PICTURE).convert(mode)
    expected = np.asarray(picture.convert("RGBA"))[..., :3]
    np.testing.assert_array_equal(decode_image(encode(picture, "PNG"), "a.png"), expected)


def test_decode_image_palette_with_transparency_keeps_its_colours_without_a_warning() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    data = encode(picture, "PNG", transparency=bytes([0, 128]))
    np.testing.assert_array_equal(decode_image(data, "a.png"), [[[10, 20, 30], [40, 50, 60]]])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_decode_image_jpeg_of_any_mode_becomes_rgb(mode: str) -> None:
    data = encode(SMOOTH.convert(mode), "JPEG")
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, "a.jpg"), expected)


@pytest.mark.parametrize("order", [b"II", b"MM"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_decode_image_exif_orientation_equals_pillows_own(kind: str, orientation: int, order: bytes) -> None:
    exif = Image.Exif()
    exif.endian = "<" if order == b"II" else ">"
    exif[0x010F] = "maker"
    exif[0x0112] = orientation
    data = encode(SMOOTH, kind, exif=exif.tobytes())
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(decode_image(data, "a"), expected)


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0XX*\0\x08\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03\0\0\0\x01\0\x63\0\0",
    ],
)
def test_decode_image_broken_exif_is_upright_without_a_warning(exif: bytes) -> None:
    data = encode(SMOOTH, "JPEG", exif=exif)
    assert decode_image(data, "a.jpg").shape == (24, 40, 3)


def test_decode_image_in_threads_leaves_the_warning_filters_alone() -> None:
    data = encode(SMOOTH, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        shapes = set(pool.map(lambda _: decode_image(data, "a.jpg").shape, range(200)))
    assert shapes == {(24, 40, 3)}
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    "data",
    [
        encode(SMOOTH, "JPEG"),
        encode(SMOOTH, "JPEG", progressive=True),
        encode(SMOOTH, "PNG"),
        encode(SMOOTH.convert("P"), "PNG"),
    ],
    ids=["jpeg", "progressive", "png", "palette"],
)
def test_decode_image_every_truncation_is_refused(data: bytes) -> None:
    for length in range(4, len(data)):
        with pytest.raises(DataError, match=r"cut\.img: expected a (complete )?JPEG or PNG image"):
            decode_image(data[:length], "cut.img")


def test_decode_image_zero_bytes_are_refused() -> None:
    with pytest.raises(DataError, match=r"a/7\.jpg: .* got a file of 0 bytes"):
        decode_image(b"", "a/7.jpg")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_decode_image_other_formats_are_refused_even_under_a_png_name(kind: str) -> None:
    with pytest.raises(DataError, match=r"a\.png: expected a JPEG or PNG image, got bytes that begin with"):
        decode_image(encode(SMOOTH, kind), "a.png")


@pytest.mark.parametrize(
    "data",
    [png_claiming(10_000, 10_000), jpeg_claiming(65_000, 65_000), png_claiming(50_001, 1000)],
    ids=["png", "jpeg", "just over"],
)
def test_decode_image_claimed_size_over_the_cap_is_refused_without_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"at most 50 megapixels, got (10000x10000|65000x65000|50001x1000)"):
            decode_image(data, "bomb")
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


def test_decode_image_16_bit_png_is_refused() -> None:
    data = encode(Image.fromarray(np.full((2, 2), 40_000, np.uint16)), "PNG")
    with pytest.raises(DataError, match=r"a\.png: expected 8 bits a channel, got a 16-bit PNG"):
        decode_image(data, "a.png")


def test_decode_image_changed_png_is_never_used_in_silence() -> None:
    data = encode(SMOOTH, "PNG")
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x10
        with pytest.raises(DataError, match=r"a\.png"):
            decode_image(bytes(changed), "a.png")


def test_decode_image_mutations_are_pixels_or_data_error() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    bases = [
        encode(SMOOTH, "JPEG", exif=exif),
        encode(SMOOTH, "PNG", exif=exif),
        encode(SMOOTH.convert("CMYK"), "JPEG"),
    ]
    dice = random.Random(5)  # noqa: S311 - picks bytes to damage
    refused = 0
    for _ in range(1500):
        changed = bytearray(dice.choice(bases))
        for _ in range(dice.choice((1, 3, 10))):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        try:
            assert decode_image(bytes(changed), "x").dtype == np.uint8
        except DataError:
            refused += 1
    assert refused > 500


def test_resize_image_same_size_is_the_same_array() -> None:
    assert resize_image(PICTURE, 12, 20) is PICTURE


def test_resize_image_halving_is_antialiased_as_computed_by_hand() -> None:
    # a triangle two source pixels to each side of the new pixel's centre, at 1 and 3: weights 3/4, 3/4, 1/4 of 7/4
    row = np.repeat(np.array([0, 0, 255, 255], np.uint8)[None, :, None], 3, axis=2)
    expected = [round(255 * 0.25 / 1.75), round(255 * 1.5 / 1.75)]
    np.testing.assert_array_equal(resize_image(row, 1, 2)[0, :, 0], expected)


def test_resize_image_enlarging_a_box_interpolates_between_its_pixels() -> None:
    row = np.repeat(np.array([0, 100, 200, 255], np.uint8)[None, :, None], 3, axis=2)
    # a box of two pixels to four: centres at 1.25, 1.75, 2.25, 2.75; pixel 0 has its own at 0.5
    np.testing.assert_array_equal(resize_image(row, 1, 4, (1.0, 0.0, 3.0, 1.0))[0, :, 0], [75, 125, 175, 214])


def test_resize_labels_takes_only_labels_that_are_there() -> None:
    labels = np.random.default_rng(2).choice(np.array([0, 7, 255], np.uint8), (31, 45))
    for height, width in ((16, 16), (7, 90), (100, 33)):
        assert set(np.unique(resize_labels(labels, height, width))) <= {0, 7, 255}


def test_resize_labels_enlarged_takes_the_pixel_under_each_centre() -> None:
    labels = np.arange(8, dtype=np.uint8)[np.newaxis]
    np.testing.assert_array_equal(resize_labels(labels, 1, 16)[0], np.repeat(np.arange(8), 2))
    np.testing.assert_array_equal(resize_labels(labels, 1, 4, (2.0, 0.0, 4.0, 1.0))[0], [2, 2, 3, 3])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([3, 3, 3, 5, 5, 5, 5, 3, 3], [3, 5, 3]),  # the most of each third: 3 3 3 | 5 5 5 | 5 3 3
        ([3, 3, 3, 7, 3, 3, 3, 3], [3, 7, 3, 3]),  # half and half: the rarer, a thin thing
        ([7, 7, 7, 3, 7, 7, 7, 7], [7, 3, 7, 7]),  # whichever number it has
        ([255, 255, 255, 3, 3, 255, 3, 3], [255, 3, 3, 3]),  # ignored pixels never win a tie, however rare
        ([3, 3, 3, 3, 3, 255, 3, 3], [3, 3, 3, 3]),
        ([4, 4, 4, 9, 4, 4, 4, 4, 4], [4, 4, 4]),  # a third is not the most: gone
        ([6, 6, 6, 6], [6]),  # nothing to vote on
    ],
)
def test_resize_labels_shrunk_takes_what_covers_most_by_hand(old: list[int], new: list[int]) -> None:
    labels = np.repeat(np.array([old], np.uint8), len(old) // len(new), axis=0)
    np.testing.assert_array_equal(resize_labels(labels, 1, len(new))[0], new)


def test_resize_labels_shrunk_covers_fractions_of_pixels() -> None:
    labels = np.array([[1, 2, 3]], np.uint8)
    # 3 pixels to 2: the first new one is all of 1 and half of 2, the second half of 2 and all of 3
    np.testing.assert_array_equal(resize_labels(labels, 1, 2)[0], [1, 3])
    # of a box from 0.5 to 2.5 in one: half of 1, all of 2, half of 3
    np.testing.assert_array_equal(resize_labels(labels, 1, 1, (0.5, 0.0, 2.5, 1.0))[0], [2])


def test_resize_labels_shrunk_votes_as_a_count_over_blocks() -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (60, 90), p=[0.6, 0.3, 0.05, 0.05])
    resized = resize_labels(labels, 20, 30)
    for row, column in np.ndindex(20, 30):
        votes = np.bincount(labels[3 * row : 3 * row + 3, 3 * column : 3 * column + 3].reshape(-1), minlength=256)
        best = np.flatnonzero(votes == votes.max())
        rarest_first = [label for label in (2, 1, 0, 255) if label in best]
        assert resized[row, column] == rarest_first[0]


def covered(start: float, stop: float, count: int, size: int) -> list[dict[int, Fraction]]:
    """For each new pixel of `count` along one axis the old ones it covers, and how much of each, without rounding."""
    step = (Fraction(stop) - Fraction(start)) / count
    edges = [Fraction(start) + at * step for at in range(count + 1)]
    shares = [{old: min(high, old + 1) - max(low, old) for old in range(size)} for low, high in pairwise(edges)]
    return [{old: share for old, share in each.items() if share > 0} for each in shares]


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (4, 5, None),  # neither side divides
        (9, 7, None),  # one side shrinks, by a whole number
        (3, 20, None),  # one side shrinks, the other grows
        (4, 5, (0.25, 1.5, 12.75, 8.0)),
        (3, 3, (3.125, 0.0, 14.0, 9.0)),  # to the corner
        (7, 11, (0.1, 0.2, 13.3, 8.7)),
    ],
)
def test_resize_labels_shrunk_votes_by_the_area_that_exact_fractions_give(
    height: int, width: int, box: tuple[float, float, float, float] | None
) -> None:
    left, top, right, bottom = box or (0.0, 0.0, 14.0, 9.0)
    down, across = covered(top, bottom, height, 9), covered(left, right, width, 14)
    for seed in range(5):
        labels = np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (9, 14), p=[0.5, 0.3, 0.1, 0.1])
        resized = resize_labels(labels, height, width, box)
        touched = labels[int(top) : math.ceil(bottom), int(left) : math.ceil(right)]
        order = sorted(np.unique(touched).tolist(), key=lambda label: (label == 255, (touched == label).sum(), label))
        for row, column in np.ndindex(height, width):
            areas = dict.fromkeys(order, Fraction(0))
            for y, x in product(down[row], across[column]):
                areas[int(labels[y, x])] += down[row][y] * across[column][x]
            assert resized[row, column] == max(areas, key=areas.__getitem__)  # of equals the first


def test_resize_labels_same_size_is_the_same_array() -> None:
    labels = np.zeros((3, 4), np.uint8)
    assert resize_labels(labels, 3, 4) is labels


@pytest.mark.parametrize(
    "box", [(-1.0, 0.0, 2.0, 2.0), (0.0, 0.0, 21.0, 2.0), (3.0, 0.0, 3.0, 2.0), (0.0, 0.0, float("nan"), 2.0)]
)
def test_resize_box_beyond_the_image_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError, match=r"expected a box within 20x12, got \("):
        resize_image(PICTURE, 4, 4, box)
    with pytest.raises(UsageError, match=r"expected a box within 20x12, got \("):
        resize_labels(PICTURE[..., 0], 4, 4, box)


@pytest.mark.parametrize("resize", [lambda: resize_image(PICTURE, 0, 4), lambda: resize_labels(PICTURE[..., 0], 0, 4)])
def test_resize_size_below_one_is_refused(resize: Callable[[], np.ndarray]) -> None:
    with pytest.raises(UsageError, match="to 4x0"):
        resize()


def test_encode_png_keeps_every_value() -> None:
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with Image.open(io.BytesIO(encode_png(ids))) as opened:
        assert opened.mode == "L"
        np.testing.assert_array_equal(np.asarray(opened), ids)


@pytest.mark.parametrize(
    ("array", "got"), [(np.zeros((2, 2), np.float32), "float32"), (np.zeros((2, 2, 4), np.uint8), r"\[2, 2, 4\]")]
)
def test_encode_png_other_arrays_are_refused(array: np.ndarray, got: str) -> None:
    with pytest.raises(UsageError, match=got):
        encode_png(array)
