"""Times against a hand-made schedule of sleeps."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.latency import DISTINCT_FRAMES, measure_latency, noise_frames, real_frames
from runtime.camera import CameraSpec
from runtime.errors import UsageError
from trainer.data.dataset import Frame


def test_measure_latency_of_a_known_schedule_gives_its_times(stub_segmenter):
    schedule_ms = [2, 2, 8, 2, 30]
    segmenter = stub_segmenter([50, 50, *schedule_ms])
    run = measure_latency(segmenter, noise_frames(segmenter.spec, 3, seed=0), count=5, warmup=2)
    assert run.samples_ms.dtype == np.float64
    assert np.all(run.samples_ms >= schedule_ms)  # a sleep is never shorter
    assert int(run.samples_ms.argmax()) == 4
    assert int(np.argsort(run.samples_ms)[-2]) == 2
    assert run.warmup_ms.shape == (2,)
    assert np.all(run.warmup_ms >= 50)  # apart: had they been counted, the largest sample would say so
    assert run.wall_s * 1e3 >= run.samples_ms.sum()
    assert run.frames_per_s == pytest.approx(5 / run.wall_s)


def test_measure_latency_uses_frames_in_turn(stub_segmenter):
    segmenter = stub_segmenter()
    frames = noise_frames(segmenter.spec, 3, seed=0)
    run = measure_latency(segmenter, frames, count=4, warmup=0)
    assert [id(frame) for frame in segmenter.seen] == [id(frames[index]) for index in (0, 1, 2, 0)]
    assert run.distinct_frames == 3
    assert run.warmup_ms.shape == (0,)


def test_measure_latency_that_goes_on_takes_the_next_frame(stub_segmenter):
    segmenter = stub_segmenter()
    frames = noise_frames(segmenter.spec, 3, seed=0)
    measure_latency(segmenter, frames, count=4, warmup=1, first=5)
    assert [id(frame) for frame in segmenter.seen] == [id(frames[index]) for index in (0, 2, 0, 1, 2)]


def test_measure_latency_counts_invalid_frames_of_the_measured_part_only(stub_segmenter):
    good, bad = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    run = measure_latency(stub_segmenter(), [good, bad], count=5, warmup=2)
    assert run.invalid_frames == 2


@pytest.mark.parametrize(("count", "warmup", "distinct"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_measure_latency_count_out_of_range_is_refused(stub_segmenter, count, warmup, distinct):
    segmenter = stub_segmenter()
    with pytest.raises(UsageError, match=f"got {count}, {distinct} and {warmup}"):
        measure_latency(segmenter, noise_frames(segmenter.spec, distinct, seed=0), count=count, warmup=warmup)


def test_measure_latency_of_a_file_for_batches_counts_every_frame(stub_segmenter):
    segmenter = stub_segmenter([20], batch=3)
    run = measure_latency(segmenter, noise_frames(segmenter.spec, 2, seed=0), count=2, warmup=0)
    assert run.batch == 3
    assert run.frames_per_s == pytest.approx(6 / run.wall_s)
    assert segmenter.seen[0].shape == (3, 4, 6, 3)


def test_noise_frames_of_one_seed_are_the_same_and_of_another_differ(stub_segmenter):
    spec = stub_segmenter().spec
    first, again, other = (noise_frames(spec, 2, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[0].shape == (4, 6, 3)
    assert first[0].dtype == np.uint8


@pytest.mark.parametrize(("batch", "arrays"), [(1, DISTINCT_FRAMES), (6, 5), (64, 1)])
def test_noise_frames_of_many_are_capped(stub_segmenter, batch, arrays):
    assert len(noise_frames(stub_segmenter(batch=batch).spec, 10_000, seed=0)) == arrays


def test_noise_frames_of_a_camera_have_its_shape(stub_segmenter):
    camera = CameraSpec(height_px=4, width_px=6, layout="nv12", yuv_matrix="bt601", yuv_range="full")
    assert noise_frames(stub_segmenter(camera=camera).spec, 1, seed=0)[0].shape == (6, 6)


@pytest.fixture
def numbered():
    """A data set of five frames 16x8, each of one grey level, its number."""

    def read(split, index):
        image = np.full((8, 16, 3), index, np.uint8)
        return Frame(f"{split}/{index}.jpg", image, image[..., 0])

    return SimpleNamespace(frames=lambda _split: tuple(str(index) for index in range(5)), read=read)


def test_real_frames_come_at_the_networks_size_each_once(stub_segmenter, numbered):
    spec = stub_segmenter().spec
    frames = real_frames(numbered, "val", spec, count=100, seed=1)
    assert sorted(int(frame[0, 0, 0]) for frame in frames) == [0, 1, 2, 3, 4]
    assert {frame.shape for frame in frames} == {(4, 6, 3)}
    assert all(frame.flags.c_contiguous for frame in frames)
    np.testing.assert_array_equal(frames, real_frames(numbered, "val", spec, count=100, seed=1))
    assert len(real_frames(numbered, "val", spec, count=2, seed=1)) == 2


def test_real_frames_for_batches_start_over_only_in_the_last(stub_segmenter, numbered):
    frames = real_frames(numbered, "val", stub_segmenter(batch=2).spec, count=100, seed=1)
    assert [frame.shape for frame in frames] == [(2, 4, 6, 3)] * 3
    levels = [int(frame[0, 0, 0]) for batch in frames for frame in batch]
    assert sorted(levels[:5]) == [0, 1, 2, 3, 4]
    assert levels[5] == levels[0]


def test_real_frames_of_a_camera_come_as_it_delivers_them(stub_segmenter, numbered):
    camera = CameraSpec(height_px=10, width_px=8, layout="bgr", crop=(1, 2, 6, 4))
    (frame,) = real_frames(numbered, "val", stub_segmenter(camera=camera).spec, count=1, seed=1)
    assert frame.shape == (10, 8, 3)
