"""Bench records by schema 2 with made-up figures: drawn from seeds, of machines and files that do not exist."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

Record = dict[str, Any]
NEEDED = {"p50": 11, "p90": 64, "p99": 662, "p99.9": 6636}


def summary(samples_ms: np.ndarray) -> dict[str, Any]:
    """A SUMMARY of the schema."""
    ordered = np.sort(samples_ms)
    known = {name: need for name, need in NEEDED.items() if len(ordered) >= need}
    ranks = {name: int(np.ceil(float(name[1:]) / 100 * len(ordered))) - 1 for name in known}
    edges = 2.0 ** (np.arange(np.floor(8 * np.log2(ordered[0])), np.ceil(8 * np.log2(ordered[-1])) + 2) / 8)
    return {
        "min": float(ordered[0]),
        "mean": float(ordered.mean()),
        "max": float(ordered[-1]),
        "percentiles": {name: float(ordered[rank]) for name, rank in ranks.items()},
        "early_stopping": {name: float(ordered[rank]) * 1.01 for name, rank in ranks.items()},
        "withheld": {name: need for name, need in NEEDED.items() if name not in known},
        "histogram": {
            "edges_ms": [float(edge) for edge in edges],
            "counts": [int(count) for count in np.histogram(ordered, edges)[0]],
        },
    }


def drawn(seed: int, count: int, median_ms: float, slow: int = 0, slow_ms: float = 45.0) -> np.ndarray:
    """Latencies with a tail, and so many that are surely slow."""
    random = np.random.default_rng(seed)
    samples = median_ms * np.exp(np.abs(random.normal(0, 0.07, count)))
    samples[random.choice(count, slow, replace=False)] = slow_ms * random.uniform(0.9, 1.4, slow)
    return samples


def timeline(samples_ms: np.ndarray, rate_hz: float) -> dict[str, list[float]]:
    groups = np.array_split(np.arange(len(samples_ms)), min(len(samples_ms), 1000))
    worst = [group[np.argmax(samples_ms[group])] for group in groups]
    return {"t_s": [float(index / rate_hz) for index in worst], "ms": [float(samples_ms[index]) for index in worst]}


def file(name: str = "made-up.int8.onnx", precision: str = "int8", size_px: int = 256, **changes: Any) -> Record:
    return {
        "file": name,
        "sha256": f"{precision}{size_px}".encode().hex().ljust(64, "0"),
        "bytes": 1_723_521,
        "network": "unet-fast",
        "precision": precision,
        "width_px": size_px,
        "height_px": size_px,
        "classes": 7,
        "batch": 1,
        "camera": None,
        "labels_width_px": size_px,
        "labels_height_px": size_px,
        "confidence": False,
        "provider": "cpu",
        "threads": 2,
        "options": {"threads": 2, "affinity": None, "spinning": True, "device_id": 0, "cuda_graph": True},
        "placement": {"provider": "cpu", "nodes": {"CPUExecutionProvider": 187}, "half_nodes": 0, "notes": []},
        "accuracy": {
            "data": "made_up_scenes.zip",
            "split": "val",
            "frames": 250,
            "mean_iou": 0.6918,
            "worst_class": {"name": "object", "iou": 0.2396},
        },
    } | changes


MACHINE: Record = {
    "cpu": "Imaginary 9000 8-Core Processor",
    "cpu_flags": ["avx2", "fma", "avx512_vnni"],
    "cores": 8,
    "cores_usable": 2,
    "clock_mhz": 2596.146,
    "clock_max_mhz": 3600.0,
    "governor": "performance",
    "load_average": [0.03, 0.05, 0.2],
    "memory_mb": {"total": 25276.5, "available": 21638.0},
    "gpus": [],
    "os": "Invented Linux 12, Linux, 6.18.44, x86_64",
    "python": "3.11.7",
    "packages": {"segtool": "0.1.0", "numpy": "2.4.6", "pillow": "13.0.0", "onnxruntime-gpu": "1.31.1"},
}


def state(clock_mhz: float, load: float) -> Record:
    gpu = {
        "index": "0",
        "clock_sm_mhz": 1980.0,
        "power_state": "P0",
        "temperature_c": 41.0,
        "throttle_reasons": ["idle"],
    }
    return {
        "uptime_s": 86_400.5,
        "load_average": [load, 0.3, 0.2],
        "clock_mhz": {"min": clock_mhz - 7.3, "max": clock_mhz},
        "clock_boost_mhz": 3600.0,
        "governor": "performance",
        "throttled": {"core": 0, "package": 0},
        "stolen_s": 0.0,
        "memory_available_mb": 21638.0,
        "power_source": None,
        "gpus": [gpu],
    }


def record(scenario: str, results: list[Record], files: list[Record] | None = None, **changes: Any) -> Record:
    return copy.deepcopy(
        {
            "schema_version": 2,
            "kind": "bench",
            "scenario": scenario,
            "time_utc": "2026-11-23T04:20:00+00:00",
            "files": files or [file()],
            "frames": {"from": "uniform noise, seed 0", "distinct": 32},
            "machine": MACHINE,
            "state": {"before": state(3480.0, 0.03), "after": state(3475.5, 1.9)},
            "notes": ["every figure of this record is made up"],
            "results": results,
            "gates": [],
        }
        | changes
    )


def camera_record(slow: int = 0, frames: int = 10_000, **changes: Any) -> Record:
    every = drawn(1, frames, 14.2, slow)
    newest = drawn(2, frames, 14.4, slow)
    misses = int((every > 33.3).sum())
    newest_late = int((newest > 33.3).sum())
    result = {
        "file": 0,
        "rate_hz": 30.0,
        "budget_ms": 33.3,
        "cameras": 1,
        "load": {"cpu": 0, "gpu": 0.0},
        "back_to_back": summary(drawn(3, frames, 13.6)),
        "every": {
            "frames": frames,
            "latency_ms": summary(every),
            "misses": misses,
            "jitter_ms": {"p50": 0.4, "p99": 2.1},
            "timeline": timeline(every, 30.0),
        },
        "newest": {
            "frames": frames,
            "age_ms": summary(newest),
            "ok": frames - newest_late,
            "late": newest_late,
            "dropped": 0,
            "stale": 0,
            "invalid": 0,
            "failed": 0,
            "per_camera": {},
            "jitter_ms": {"p50": 0.5, "p99": 2.6},
            "timeline": timeline(newest, 30.0),
        },
        "holds": misses == 0,
    }
    gate = {"name": "budget", "limit": "no miss", "got": f"{misses} misses", "ok": misses == 0}
    return record("camera", [result], **({"gates": [gate]} | changes))


def single_stream_record(frames: int = 1000, files: list[Record] | None = None) -> Record:
    results = []
    for index, entry in enumerate(files or [file()]):
        median = {"fp32": 33.0, "fp16": 41.5, "int8": 13.6}[entry["precision"]] * (entry["width_px"] / 256) ** 2
        samples = drawn(10 + index, frames, median)
        results.append(
            {
                "file": index,
                "frames": frames,
                "wall_s": float(samples.sum() / 1e3),
                "frames_per_s": float(1e3 / samples.mean()),
                "invalid_frames": 0,
                "first_frame_ms": 21.7,
                "latency_ms": summary(samples),
            }
        )
    return record("single-stream", results, files)


def stages_record() -> Record:
    parts = {"copy in": 0.31, "graph": 12.92, "copy out": 0.07, "rest": 0.24}
    names = ["stem/Conv", "encoder/1/Conv", "encoder/2/Conv", "decoder/0/Conv", "decoder/1/Conv", "head/Resize"]
    nodes = [
        {
            "name": name,
            "op": "QLinearConv" if "Conv" in name else "Resize",
            "ms": 3.1 / (i + 1),
            "share": 0.24 / (i + 1),
        }
        for i, name in enumerate(names)
    ]
    return record("stages", [{"file": 0, "parts_ms": parts, "segment_ms": 13.54, "nodes": nodes}])


def cold_start_record() -> Record:
    parts = {
        "interpreter": 31.0,
        "import": 412.0,
        "session": 165.0,
        "warm-up": 148.0,
        "self-test": 61.0,
        "first frame": 14.6,
    }
    result = {
        "file": 0,
        "repeats": 5,
        "parts_ms": parts,
        "sum_ms": 831.6,
        "outside_ms": 838.9,
        "ready_budget_ms": 1000.0,
    }
    gate = {"name": "ready", "limit": "at most 1,000 ms", "got": "839 ms", "ok": True}
    return record("cold-start", [result], gates=[gate])


def soak_record() -> Record:
    frames = np.linspace(0, 100_000, 120)
    mb = 152.7 + np.random.default_rng(5).normal(0, 0.06, 120) + 1.2 * (1 - np.exp(-frames / 4000))
    result = {
        "file": 0,
        "frames": 100_000,
        "duration_s": 1422.0,
        "rss": {"frame": [int(frame) for frame in frames], "mb": [float(value) for value in mb]},
        "slope_kb_per_1000": 0.41,
        "error_kb_per_1000": 0.92,
        "latency_ms": summary(drawn(6, 20_000, 13.7)),
    }
    return record("soak", [result])


def sweep_record() -> Record:
    results, sizes = [], (128, 256, 512, 1024)
    files = [
        file(f"made-up.{precision}.{size}.onnx", precision, size, accuracy=None)
        for precision in ("fp32", "int8")
        for size in sizes
    ]
    for index, entry in enumerate(files):
        pixels = entry["width_px"] ** 2
        median = {"fp32": 33.0, "int8": 13.6}[entry["precision"]] * (pixels / 65536) ** 1.02
        results.append(
            {
                "file": index,
                "width_px": entry["width_px"],
                "height_px": entry["height_px"],
                "threads": 2,
                "precision": entry["precision"],
                "provider": "cpu",
                "latency_ms": summary(drawn(20 + index, 200, median)),
                "median_ms": median,
                "ms_per_megapixel": median / pixels * 1e6,
                "peak_memory_mb": 2.1 * pixels * 128 / 1e6,
                "largest_activation_mb": pixels * 128 / 1e6,
            }
        )
    growth = [
        {"of": f"unet-fast {precision}, 2 threads", "exponent": 1.02, "from_px": 16384, "to_px": 1048576}
        for precision in ("fp32", "int8")
    ]
    return record("sweep", results, files, growth=growth)


def offline_record() -> Record:
    results = [
        {
            "file": 0,
            "batch": batch,
            "frames_per_s": 71.0 + batch,
            "per_frame_ms": 1e3 / (71 + batch),
            "latency_ms": summary(drawn(40 + batch, 300, 14.0 * batch)),
        }
        for batch in (1, 4, 8)
    ]
    return record("offline", results)


def peers_record() -> Record:
    named = [
        ("OpenVINO fp32", 2.41, 0.99998, None),
        ("OpenVINO default", 1.12, 0.9981, "computes in bf16"),
        ("PyTorch eager", 2.71, 0.99999, None),
        ("PyTorch bf16 autocast", 1.74, 0.9979, None),
        ("onnxruntime, plain script", 0.97, 1.0, "numpy before and after"),
    ]
    peers = [
        {
            "name": name,
            "version": "1.0",
            "threads": 2,
            "latency_ms": summary(drawn(50 + index, 300, 13.6 * ratio)),
            "ratio": {"median": ratio, "low": ratio * 0.97, "high": ratio * 1.04},
            "label_agreement": agreement,
            "note": note,
        }
        for index, (name, ratio, agreement, note) in enumerate(named)
    ]
    left_out = [{"name": "TensorRT", "why": "no NVIDIA GPU"}]
    return record(
        "peers",
        [{"file": 0, "rounds": 300, "ours_ms": summary(drawn(49, 300, 13.6)), "peers": peers, "left_out": left_out}],
    )


def scored_files() -> list[Record]:
    scores = {"fp32": (0.6923, 0.2420), "fp16": (0.6923, 0.2420), "int8": (0.6918, 0.2396)}
    found = []
    for size_px, less in ((128, 0.03), (256, 0.0)):
        for precision, (mean, worst) in scores.items():
            accuracy = {
                "data": "made_up_scenes.zip",
                "split": "val",
                "frames": 250,
                "mean_iou": mean - less,
                "worst_class": {"name": "object", "iou": worst - 2 * less},
            }
            found.append(file(f"made-up.{size_px}.{precision}.onnx", precision, size_px, accuracy=accuracy))
    return found


def all_records() -> list[Record]:
    return [
        camera_record(slow=50),
        single_stream_record(files=scored_files()),
        stages_record(),
        peers_record(),
        cold_start_record(),
        soak_record(),
        offline_record(),
        sweep_record(),
    ]


@pytest.fixture
def make() -> Mapping[str, Callable[..., Any]]:
    """Every maker of this file by its name: conftest itself can't be imported."""
    return {
        "camera": camera_record,
        "single-stream": single_stream_record,
        "stages": stages_record,
        "peers": peers_record,
        "cold-start": cold_start_record,
        "soak": soak_record,
        "offline": offline_record,
        "sweep": sweep_record,
        "all": all_records,
        "file": file,
        "record": record,
        "summary": summary,
        "scored files": scored_files,
    }
