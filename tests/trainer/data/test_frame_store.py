"""Every fault that can befall a cache folder while runs use it: a frame comes back as it was put in, or not at all."""

import errno
import logging
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.errors import UsageError
from trainer.data.frame_store import FrameStore

CAP = 64 * 2**20
KEY = "a1" * 32
FRAME_BYTES = 64 + 20 * 30 * 4  # header, image, labels


def pixels(seed: int = 0, height: int = 20, width: int = 30) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        rng.integers(0, 256, (height, width), dtype=np.uint8),
    )


def assert_kept(store: FrameStore, key: str, seed: int = 0) -> None:
    found = store.get(key)
    assert found is not None
    for got, put in zip(found, pixels(seed), strict=True):
        np.testing.assert_array_equal(got, put)


def stored(tmp_path: Path) -> tuple[FrameStore, Path]:
    store = FrameStore(tmp_path / "frames", CAP)
    store.put(KEY, *pixels())
    return store, tmp_path / "frames" / "a" / KEY


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def key_of(number: int, bucket: str = "a") -> str:
    return bucket + f"{number:063x}"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_frame_store_any_frame_comes_back_writable_and_contiguous(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int
) -> None:
    store = FrameStore(tmp_path_factory.mktemp("frames"), CAP)
    put = pixels(seed, height, width)
    store.put(KEY, *put)
    found = store.get(KEY)
    assert found is not None
    for got, given_ in zip(found, put, strict=True):
        np.testing.assert_array_equal(got, given_)
        assert got.flags.writeable
        assert got.flags.c_contiguous


def test_get_absent_is_none_and_makes_no_folder(tmp_path: Path) -> None:
    assert FrameStore(tmp_path / "frames", CAP).get(KEY) is None
    assert not (tmp_path / "frames").exists()


def test_get_any_flipped_bit_is_noticed_and_the_file_deleted(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    sound = path.read_bytes()
    assert len(sound) == FRAME_BYTES
    for at in [*range(64), *range(64, len(sound), 101), len(sound) - 1]:
        path.write_bytes(sound[:at] + bytes([sound[at] ^ (1 << at % 8)]) + sound[at + 1 :])
        assert store.get(KEY) is None, f"a flipped bit in byte {at}"
        assert not path.exists()
    store.put(KEY, *pixels())
    assert_kept(store, KEY)


@pytest.mark.parametrize("length", [0, 1, 63, 64, FRAME_BYTES // 2, FRAME_BYTES - 1, FRAME_BYTES + 1])
def test_get_file_of_another_length_is_none(tmp_path: Path, length: int) -> None:
    store, path = stored(tmp_path)
    path.write_bytes((path.read_bytes() + b"\0")[:length])
    assert store.get(KEY) is None
    assert not path.exists()


def test_get_frame_under_another_key_is_none(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    other = key_of(1)
    path.rename(path.with_name(other))
    assert store.get(other) is None


def test_get_file_of_zeros_as_after_a_power_cut_is_none(tmp_path: Path) -> None:
    store, path = stored(tmp_path)
    path.write_bytes(bytes(FRAME_BYTES))
    assert store.get(KEY) is None


def test_store_deleted_while_in_use_goes_on(tmp_path: Path) -> None:
    store, _ = stored(tmp_path)
    shutil.rmtree(tmp_path / "frames")
    assert store.get(KEY) is None
    store.put(KEY, *pixels())  # the folder is thought to be there: this one may be lost
    store.put(KEY, *pixels())
    assert_kept(store, KEY)


def test_put_leaves_no_temporary_file(tmp_path: Path) -> None:
    _, path = stored(tmp_path)
    assert names(path.parent) == [KEY]


def test_put_interrupted_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    store = FrameStore(tmp_path, CAP)
    with pytest.raises(KeyboardInterrupt):
        store.put(KEY, *pixels())
    assert names(tmp_path / "a") == []


def test_put_disk_full_warns_once_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, path = stored(tmp_path)

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        for number in range(3):
            store.put(key_of(number), *pixels())
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'frames'}: expected room for decoded frames, got 'No space left on device'; "
        "going on without keeping more, which costs speed only"
    ]
    assert names(path.parent) == [KEY]
    assert_kept(store, KEY)  # what is there is still read


def test_put_folder_that_can_not_be_made_warns_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FrameStore(tmp_path / "file" / "frames", CAP)
    store.put(KEY, *pixels())
    assert store.get(KEY) is None
    assert "got 'Not a directory'" in caplog.text


def test_put_cap_reached_keeps_no_more(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, 16 * 3 * FRAME_BYTES)
    for number in range(5):
        store.put(key_of(number), *pixels(number))
    assert len(names(tmp_path / "a")) == 3
    assert_kept(store, key_of(0), 0)
    assert store.get(key_of(4)) is None
    store.put(key_of(9, bucket="b"), *pixels(9))  # another folder has its own share
    assert_kept(store, key_of(9, bucket="b"), 9)


@pytest.mark.parametrize("cap_bytes", [0, 16 * FRAME_BYTES - 1])
def test_put_frame_beyond_its_share_of_the_cap_is_not_kept(tmp_path: Path, cap_bytes: int) -> None:
    FrameStore(tmp_path, cap_bytes).put(KEY, *pixels())
    assert list(tmp_path.rglob("*")) == []


def test_put_cap_reached_replaces_idle_frames_oldest_first_and_leftovers(tmp_path: Path) -> None:
    earlier = FrameStore(tmp_path, 16 * 4 * FRAME_BYTES)
    for number in range(3):
        earlier.put(key_of(number), *pixels(number))
        age_s = (3 - number) * 7200
        os.utime(tmp_path / "a" / key_of(number), (time.time() - age_s,) * 2)
    (tmp_path / "a" / "left.tmp").write_bytes(bytes(FRAME_BYTES))
    os.utime(tmp_path / "a" / "left.tmp", (0, 0))
    later = FrameStore(tmp_path, 16 * 4 * FRAME_BYTES)
    assert_kept(later, key_of(0), 0)  # read again by this run, so no longer idle
    later.put(key_of(7), *pixels(7))
    later.put(key_of(8), *pixels(8))
    assert names(tmp_path / "a") == sorted(key_of(number) for number in (0, 2, 7, 8))


def fill(folder: Path, first: int) -> None:
    store = FrameStore(folder, CAP)
    for number in range(40):  # half of the keys are the other process's as well
        store.put(key_of(first + number), *pixels(first + number))
        found = store.get(key_of(first + number))
        if found is None or not np.array_equal(found[0], pixels(first + number)[0]):
            os._exit(1)


def test_put_two_processes_at_once_lose_and_damage_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=fill, args=(tmp_path, first)) for first in (0, 20)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    store = FrameStore(tmp_path, CAP)
    for number in range(60):
        assert_kept(store, key_of(number), number)
    assert len(names(tmp_path / "a")) == 60


def test_frame_store_cap_below_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 bytes or more, got -1"):
        FrameStore(tmp_path, -1)
