import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from trainer.data.masks import decode_colours, decode_ids

IDS = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)


def encode(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png(depth: int, colour_type: int, rows: list[bytes], width: int, palette: bytes = b"") -> bytes:
    """A PNG written by hand after its specification, so that no library decides what the values are."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header)] + ([(b"PLTE", palette)] if palette else [])
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_decode_ids_palette_gives_indices_not_greys() -> None:
    picture = Image.fromarray(IDS)
    picture.putpalette([200, 200, 200, 10, 10, 10, 0, 0, 0, 255, 255, 255])
    assert picture.mode == "P"
    np.testing.assert_array_equal(decode_ids(encode(picture), "m.png"), IDS)


@pytest.mark.parametrize("colour_type", [0, 3])
@pytest.mark.parametrize(
    ("depth", "row", "expected"),
    [(1, b"\xa0", [1, 0, 1]), (2, b"\x6c", [1, 2, 3]), (4, b"\x1f\x70", [1, 15, 7]), (8, b"\x01\x02\x0f", [1, 2, 15])],
)
def test_decode_ids_any_depth_gives_the_numbers_in_the_file(
    colour_type: int, depth: int, row: bytes, expected: list[int]
) -> None:
    palette = bytes(48) if colour_type == 3 and depth > 2 else bytes(3 * 2**depth) if colour_type == 3 else b""
    decoded = decode_ids(png(depth, colour_type, [row], 3, palette), "m.png")
    assert decoded.dtype == np.uint8
    assert decoded.tolist() == [expected]


def test_decode_ids_16_bits_are_kept_whole() -> None:
    decoded = decode_ids(png(16, 0, [struct.pack(">3H", 300, 65535, 7)], 3), "m.png")
    assert decoded.dtype == np.uint16
    assert decoded.tolist() == [[300, 65535, 7]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_decode_ids_colours_are_refused(mode: str) -> None:
    with pytest.raises(DataError, match=rf"set/m\.png: expected a mask of ids .* mode {mode}; .*classes\.toml"):
        decode_ids(encode(Image.new(mode, (3, 2))), "set/m.png")


@pytest.mark.parametrize("decode", [decode_ids, decode_colours])
def test_decode_mask_jpeg_is_refused(decode: Any) -> None:
    with pytest.raises(DataError, match=r"m\.jpg: expected a PNG mask, got a JPEG, which changes values"):
        decode(encode(Image.new("L", (3, 2)), "JPEG"), "m.jpg")


@pytest.mark.parametrize("decode", [decode_ids, decode_colours])
def test_decode_mask_every_truncation_is_refused(decode: Any) -> None:
    data = encode(Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20)))
    for length in range(len(data)):
        with pytest.raises(DataError, match=r"m\.png: expected a "):
            decode(data[:length], "m.png")


@pytest.mark.parametrize("decode", [decode_ids, decode_colours])
def test_decode_mask_changed_byte_is_refused(decode: Any) -> None:
    data = bytearray(encode(Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20))))
    data[data.index(b"IDAT") + 8] ^= 1
    with pytest.raises(DataError, match="wrong checksum"):
        decode(bytes(data), "m.png")


def test_decode_ids_claimed_size_over_the_cap_is_refused() -> None:
    with pytest.raises(DataError, match="at most 50 megapixels, got 10000x5001"):
        decode_ids(png(16, 0, [b""] * 5001, 10000), "m.png")


def test_decode_ids_are_turned_as_their_photo_would_be() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: to be turned clockwise
    decoded = decode_ids(encode(Image.fromarray(IDS), exif=exif), "m.png")
    assert decoded.tolist() == [[3, 0], [1, 1], [0, 2]]


def test_decode_colours_rgb_palette_and_grey_give_their_colours() -> None:
    colours = np.array([[[200, 0, 10], [0, 255, 0]]], np.uint8)
    np.testing.assert_array_equal(decode_colours(encode(Image.fromarray(colours)), "m.png"), colours)
    indexed = Image.fromarray(np.array([[1, 0]], np.uint8))
    indexed.putpalette([0, 255, 0, 200, 0, 10])
    np.testing.assert_array_equal(decode_colours(encode(indexed), "m.png"), colours)
    grey = decode_colours(encode(Image.fromarray(IDS)), "m.png")
    np.testing.assert_array_equal(grey, np.repeat(IDS[..., None], 3, axis=2))


def test_decode_colours_transparent_pixels_are_refused_and_opaque_taken() -> None:
    opaque = Image.new("RGBA", (2, 1), (1, 2, 3, 255))
    assert decode_colours(encode(opaque), "m.png")[0, 1].tolist() == [1, 2, 3]
    opaque.putpixel((1, 0), (1, 2, 3, 40))
    with pytest.raises(DataError, match=r"m\.png: expected an opaque colour mask, got pixels with alpha 40"):
        decode_colours(encode(opaque), "m.png")


def test_decode_colours_transparent_colour_of_a_palette_is_that_colour() -> None:
    indexed = Image.fromarray(np.array([[1, 0]], np.uint8))
    indexed.putpalette([0, 255, 0, 200, 0, 10])
    data = encode(indexed, transparency=bytes([0, 128]))
    assert decode_colours(data, "m.png").tolist() == [[[200, 0, 10], [0, 255, 0]]]


@pytest.mark.parametrize(("depth", "row"), [(8, b"\x00\x02\x01"), (2, b"\x18")])
def test_decode_colours_index_that_the_palette_lacks_is_refused(depth: int, row: bytes) -> None:
    assert decode_colours(png(depth, 3, [row], 3, bytes(range(9))), "m.png")[0].tolist() == [
        [0, 1, 2],
        *([[6, 7, 8], [3, 4, 5]] if depth == 8 else [[3, 4, 5], [6, 7, 8]]),
    ]
    with pytest.raises(DataError, match=r"m\.png: expected palette indices from 0 to 1, got 2; write the mask anew"):
        decode_colours(png(depth, 3, [row], 3, bytes(6)), "m.png")


def test_decode_colours_16_bits_are_refused() -> None:
    with pytest.raises(DataError, match="got a 16-bit PNG"):
        decode_colours(png(16, 2, [bytes(18)], 3), "m.png")
