from benchmarks.page.setting import files_section, gates_section, machine_section


def test_gates_section_what_fails_comes_first(make) -> None:
    drawn = gates_section([make["cold-start"](), make["camera"](slow=50)])
    assert drawn.index("✗ fails") < drawn.index("✓ holds")
    assert drawn.index("50 misses") < drawn.index("839 ms")


def test_machine_section_names_facts_with_their_units(make) -> None:
    drawn = machine_section([make["camera"]()])
    for name, value in (
        ("clock max, MHz", "3,600"),
        ("cpu flags", "avx2, fma, avx512_vnni"),
        ("packages numpy", "2.4.6"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in drawn


def test_machine_section_state_stands_before_beside_after(make) -> None:
    drawn = machine_section([make["camera"]()])
    for row in (("clock max, MHz", "3,480", "3,475.5"), ("gpus 0 temperature, °C", "41", "41")):
        name, before, after = row
        assert f'{name}</th><td class="number">{before}</td><td class="number">{after}</td>' in drawn
    assert "power source" not in drawn  # nobody could tell


def test_machine_section_same_machine_is_told_once(make) -> None:
    drawn = machine_section([make["camera"](), make["soak"]()])
    assert drawn.count("<dt>cpu</dt>") == 1
    assert drawn.count("<caption>") == 2  # its state, around each run


def test_files_section_has_hash_and_placement(make) -> None:
    file = make["file"](camera={"width_px": 1920, "height_px": 1208, "layout": "nv12"}, batch=6, confidence=True)
    drawn = files_section([file])
    for fact in (
        file["sha256"],
        "CPUExecutionProvider: 187 nodes",
        "1920x1208 nv12",
        "6 frames a call",
        "labels and confidence",
    ):
        assert fact in drawn
