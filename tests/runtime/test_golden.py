import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.camera import CameraSpec
from runtime.errors import ModelFileError, SegtoolError, SpecError
from runtime.golden import pack_golden, read_golden
from trainer.data.synthetic import render_scene

GOLDEN = {"frames": 2, "source": "noise", "agreement": {"*": 0.99}}


def spec_of(make_spec, layout: str, height_px: int, width_px: int):
    yuv = {"yuv_matrix": "bt601", "yuv_range": "full"} if layout in ("nv12", "uyvy") else {}
    camera = CameraSpec(height_px=height_px, width_px=width_px, layout=layout, **yuv)
    return make_spec(height_px=height_px, width_px=width_px, camera=camera, golden=GOLDEN)


def noise(spec, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    generator = np.random.default_rng(seed)
    return tuple(
        [generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
        for shape in (spec.frame_shape, spec.labels_shape)
    )


def assert_same(golden, frames, labels) -> None:
    for each, frame, answer in zip(golden, frames, labels, strict=True):
        np.testing.assert_array_equal(each.image, frame)
        np.testing.assert_array_equal(each.labels, answer)
        assert each.image.dtype == each.labels.dtype == np.uint8
        assert each.image.flags.c_contiguous
        assert each.labels.flags.c_contiguous


@pytest.mark.parametrize("layout", ["rgb", "bgr", "nv12", "uyvy"])
@pytest.mark.parametrize("size", [(2, 2), (2, 40), (40, 2), (24, 32), (34, 18)])
def test_read_golden_of_pack_golden_is_the_same(make_spec, layout: str, size: tuple[int, int]) -> None:
    spec = spec_of(make_spec, layout, *size)
    frames, labels = noise(spec)
    assert_same(read_golden(pack_golden(frames, labels), spec, "file"), frames, labels)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 5)])
def test_read_golden_of_odd_sizes_is_the_same(make_spec, size: tuple[int, int]) -> None:
    spec = make_spec(height_px=size[0], width_px=size[1], golden=GOLDEN)
    frames, labels = noise(spec)
    assert_same(read_golden(pack_golden(frames, labels), spec, "file"), frames, labels)


def test_pack_golden_of_two_scenes_takes_at_most_400_kb(make_spec) -> None:
    spec = make_spec(height_px=256, width_px=256, golden=GOLDEN)
    scenes = [render_scene(0, index, 256) for index in range(2)]
    frames = [photo for photo, _ in scenes]
    labels = [np.unique(mask.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(256, 256) for _, mask in scenes]
    labels = [each.astype(np.uint8) for each in labels]
    text = pack_golden(frames, labels)
    assert len(text) <= 400_000
    assert_same(read_golden(text, spec, "file"), frames, labels)


def test_packed_stream_is_what_the_description_says(make_spec) -> None:
    # worked out by hand: guesses 0 | 10 | 10, then of left 12, above 10, corner 9 the median of 12, 10, 13: 12
    spec = make_spec(height_px=2, width_px=2, golden=GOLDEN | {"frames": 1})
    frame = np.repeat(np.array([[9, 10], [12, 11]], np.uint8)[..., None], 3, axis=2)
    text = pack_golden([frame], [np.array([[0, 255], [255, 255]], np.uint8)])
    assert list(zlib.decompress(base64.b64decode(text))) == [9] * 3 + [1] * 3 + [3] * 3 + [255] * 3 + [0, 255, 255, 0]
    assert read_golden(text, spec, "file")[0].image.tolist() == frame.tolist()


@pytest.mark.parametrize(
    ("frames", "labels", "problem"),
    [
        ([], [], "got 0 frames of no shape"),
        ([(4, 4, 3), (4, 4, 3)], [(4, 4)], r"got 1 label maps of uint8 \[4, 4\] for 2 frames"),
        ([(4, 4, 3), (4, 5, 3)], [(4, 4)] * 2, r"frames of uint8 \[4, 4, 3\] and uint8 \[4, 5, 3\]"),
        ([(4, 4, 3)], [(4, 4), (4, 4)], "got 2 label maps"),
    ],
)
def test_pack_golden_of_frames_that_do_not_go_together_is_refused(frames, labels, problem: str) -> None:
    with pytest.raises(SpecError, match=f"golden frames: expected one uint8 shape .*{problem}"):
        pack_golden([np.zeros(shape, np.uint8) for shape in frames], [np.zeros(shape, np.uint8) for shape in labels])


def test_pack_golden_of_floats_is_refused() -> None:
    with pytest.raises(SpecError, match=r"got 1 frames of float32 \[4, 4, 3\]"):
        pack_golden([np.zeros((4, 4, 3), np.float32)], [np.zeros((4, 4), np.uint8)])


def entry(data: bytes) -> str:
    return base64.b64encode(data).decode()


SIZE = 2 * (24 * 32 * 3 + 24 * 32)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", f"{SIZE} bytes expected, got 0 and then no end"),
        ("no base64!", "base64|[Nn]on-alphabet|Only base64"),
        ("é" * 8, "ASCII"),
        (entry(b"no zlib stream"), "Error -3"),
        (entry(zlib.compress(bytes(SIZE))[:-1]), f"{SIZE} bytes expected, got {SIZE} and then no end"),
        (entry(zlib.compress(bytes(SIZE))[:9]), "and then no end"),
        (entry(zlib.compress(bytes(SIZE))[:-4] + b"abcd"), "incorrect data check"),
        (entry(zlib.compress(bytes(SIZE - 1))), f"{SIZE} bytes expected, got {SIZE - 1} and no more"),
        (entry(zlib.compress(bytes(SIZE + 1))), f"{SIZE} bytes expected, got more"),
        (entry(zlib.compress(bytes(4_000_000))), f"{SIZE} bytes expected, got more"),
        (entry(zlib.compress(bytes(SIZE)) + b"tail"), "4 bytes too many at its end"),
        ("A" * 20_000, "20000 characters, where at most [0-9]+ can be needed"),
    ],
)
def test_read_golden_of_hostile_text_is_refused_with_its_problem(make_spec, text: str, problem: str) -> None:
    with pytest.raises(ModelFileError, match=rf"file: expected 2 golden frames of \[24, 32, 3\] .*({problem})"):
        read_golden(text, make_spec(golden=GOLDEN), "file")


def test_read_golden_without_golden_frames_in_the_spec_is_refused(make_spec) -> None:
    with pytest.raises(SpecError, match="file: expected a spec that names golden frames, got none"):
        read_golden("", make_spec(), "file")


def test_read_golden_of_a_bomb_stays_within_the_specs_sizes(make_spec) -> None:
    import tracemalloc

    text = entry(zlib.compress(bytes(5_000_000)))  # 5 kB
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="got more"):
        read_golden(text, make_spec(golden=GOLDEN), "file")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * SIZE


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_read_golden_of_damaged_text_is_other_frames_or_an_error_and_nothing_else(make_spec, data) -> None:
    spec = make_spec(height_px=6, width_px=8, golden=GOLDEN)
    text = pack_golden(*noise(spec))
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.text(max_size=3)) + text[place + data.draw(st.integers(0, 3)) :]
    try:
        golden = read_golden(damaged, spec, "file")
    except SegtoolError:
        return
    assert [each.image.shape for each in golden] == [(6, 8, 3)] * 2
