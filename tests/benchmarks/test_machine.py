"""Parsers against hand-made texts; the record against what sysconf says of the same machine."""

import json
import os
import subprocess

import numpy
import pytest

from benchmarks.machine import (
    gpu_names,
    machine_record,
    operating_system,
    package_versions,
    parse_cpuinfo,
    parse_meminfo,
)

X86 = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
cpu MHz\t\t: 1999.500
flags\t\t: fpu avx2 avx512_vnni amx_bf16 lm

processor\t: 1
cpu MHz\t\t: 800.0
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimdhp bf16 i8mm\n\nModel\t\t: Some Board\n"


def test_parse_cpuinfo_of_x86_takes_the_first_core():
    facts = parse_cpuinfo(X86)
    assert facts == {"model": "Some CPU @ 2.00GHz", "clock_mhz": 1999.5, "flags": ["avx2", "avx512_vnni", "amx_bf16"]}


def test_parse_cpuinfo_of_arm_reads_features():
    assert parse_cpuinfo(ARM) == {
        "model": "Some Board",
        "clock_mhz": None,
        "flags": ["asimd", "asimdhp", "i8mm", "bf16"],
    }


def test_parse_cpuinfo_of_nothing_says_nothing():
    assert parse_cpuinfo("") == {"model": None, "clock_mhz": None, "flags": []}


def test_parse_meminfo_gives_megabytes():
    assert parse_meminfo("MemTotal:       1000000 kB\nMemAvailable:   500000 kB\n\n") == {
        "total": 1024.0,
        "available": 512.0,
    }
    assert parse_meminfo("") == {"total": None, "available": None}


def test_machine_record_is_json_and_agrees_with_sysconf():
    record = machine_record()
    assert json.loads(json.dumps(record)) == record
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert record["memory_mb"]["total"] == pytest.approx(total / 1e6, rel=0.01)
    assert record["cores"] == os.sysconf("SC_NPROCESSORS_ONLN")
    assert 1 <= record["cores_usable"] <= record["cores"]
    assert record["packages"]["numpy"] == numpy.__version__


def test_machine_record_keeps_the_machines_name_out(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "secret-name")
    assert "secret-name" not in json.dumps(machine_record())


def test_operating_system_without_os_release_still_names_the_kernel(monkeypatch):
    def absent():
        raise OSError("no /etc/os-release")

    monkeypatch.setattr("platform.freedesktop_os_release", absent)
    assert operating_system().startswith("Linux, ")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (subprocess.CompletedProcess([], 0, "H 200, 570.1, 143771 MiB\n\nT4, 570.1, 15360 MiB\n", ""), 2),
        (subprocess.CompletedProcess([], 9, "NVIDIA-SMI has failed\n", ""), 0),
        (FileNotFoundError("nvidia-smi"), 0),
        (subprocess.TimeoutExpired("nvidia-smi", 20), 0),
    ],
)
def test_gpu_names_counts_only_what_nvidia_smi_lists(monkeypatch, answer, expected):
    def run(*_args, **_options):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(subprocess, "run", run)
    assert len(gpu_names()) == expected


def test_package_versions_of_an_absent_package_leaves_it_out():
    assert package_versions(("numpy", "no-such-package-at-all")) == {"numpy": numpy.__version__}
