"""model_file.py on what a file says of itself: metadata, golden frames, and the door that the spec names."""

from pathlib import Path

import onnx
import pytest

from runtime.errors import SpecError
from runtime.model_file import check_model_bytes, load_model_file
from runtime.seal import SEAL_KEY, seal
from runtime.spec import SPEC_KEY


def sealed(proto: onnx.ModelProto) -> bytes:
    return seal(proto.SerializeToString())


def set_spec(proto: onnx.ModelProto, text: str) -> onnx.ModelProto:
    del proto.metadata_props[:]
    proto.metadata_props.add(key=SPEC_KEY, value=text)
    return proto


def test_check_spec_absent_is_refused(make_proto) -> None:
    proto = make_proto()
    proto.metadata_props[0].key = "author"
    with pytest.raises(
        SpecError, match=r"expected metadata with one 'segtool.spec'.* got \['author', 'segtool.seal'\]"
    ):
        check_model_bytes(sealed(proto), "file")


@pytest.mark.parametrize("key", [SPEC_KEY, "author"])
def test_check_metadata_key_twice_is_refused(make_proto, key: str) -> None:
    proto = make_proto()
    for _ in range(2):
        proto.metadata_props.add(key=key, value=proto.metadata_props[0].value)
    with pytest.raises(SpecError, match=f"no key twice .*, got .*'{key}', '{SEAL_KEY}'"):
        check_model_bytes(sealed(proto), "file")


def test_check_metadata_of_others_is_refused(make_proto) -> None:
    proto = make_proto()
    proto.metadata_props.add(key="author", value="someone")
    with pytest.raises(SpecError, match=r"'segtool.golden' and 'segtool.seal' only, got \['segtool.spec', 'author',"):
        check_model_bytes(sealed(proto), "file")


def test_load_model_file_keeps_the_packed_golden_frames(tmp_path: Path, golden_model_bytes: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(golden_model_bytes)
    model = load_model_file(tmp_path / "model.onnx")
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert model.golden == metadata["segtool.golden"]


def test_check_golden_frames_that_the_spec_does_not_name_are_refused(make_proto) -> None:
    proto = make_proto()
    proto.metadata_props.add(key="segtool.golden", value="AAAA")
    with pytest.raises(SpecError, match="file: expected no golden frames, as the spec says, found some"):
        check_model_bytes(sealed(proto), "file")


def test_check_golden_frames_named_and_absent_are_refused(make_proto) -> None:
    golden = {"frames": 2, "source": "noise", "agreement": {"*": 0.99}}
    with pytest.raises(SpecError, match="file: expected golden frames, as the spec says, found none"):
        check_model_bytes(sealed(make_proto(golden=golden)), "file")


def test_check_spec_of_a_newer_schema_is_refused_by_number(make_proto, make_spec) -> None:
    newer = make_spec().to_json().replace('"schema_version": 3', '"schema_version": 9')
    with pytest.raises(
        SpecError, match="file: expected a spec of schema 3, got schema 9, from a newer segtool; update"
    ):
        check_model_bytes(sealed(set_spec(make_proto(), newer)), "file")


@pytest.mark.parametrize("change", [{"height_px": 25}, {"width_px": 24, "height_px": 32}, {"batch": 2}])
def test_check_spec_of_another_size_than_the_graph_is_refused(make_proto, make_spec, change: dict) -> None:
    spec = make_spec(**change)
    expected = rf"'image' uint8 \[{spec.batch}, {spec.height_px}, {spec.width_px}, 3\], as the spec says, "
    with pytest.raises(SpecError, match=expected + r"got 'image' uint8 \[1, 24, 32, 3\]"):
        check_model_bytes(sealed(set_spec(make_proto(), spec.to_json())), "file")


@pytest.mark.parametrize(
    ("layout", "shape"), [("rgb", "24, 32, 3"), ("bgr", "24, 32, 3"), ("uyvy", "24, 32, 2"), ("nv12", "36, 32")]
)
def test_check_camera_file_has_the_door_of_its_layout(make_door, make_spec, layout: str, shape: str) -> None:
    spec, _ = check_model_bytes(make_door(layout=layout, confidence=True), "file")
    assert (spec.layout, list(spec.frame_shape)) == (layout, [int(side) for side in shape.split(", ")])
    other = make_door(layout=layout, batch=3)
    proto = onnx.load_from_string(other)
    with pytest.raises(
        SpecError, match=rf"one input, 'image' uint8 \[1, {shape}\], .* got 'image' uint8 \[3, {shape}\]"
    ):
        check_model_bytes(sealed(set_spec(proto, make_spec(camera=spec.camera).to_json())), "file")


def test_check_second_output_without_confidence_in_the_spec_is_refused_and_the_other_way_round(
    make_door, make_proto, make_spec
) -> None:
    proto = onnx.load_from_string(make_door(layout="rgb", confidence=True))
    with pytest.raises(SpecError, match=r"expected one output, 'labels' .* got 'labels' .*, 'confidence' uint8"):
        check_model_bytes(sealed(set_spec(proto, make_spec().to_json())), "file")
    promised = make_spec(confidence={"temperature": 1.0}).to_json()
    with pytest.raises(SpecError, match=r"expected 2 outputs, .*, 'confidence' uint8 \[1, 24, 32\], as .* got"):
        check_model_bytes(sealed(set_spec(make_proto(), promised)), "file")


def change_axis(value: onnx.ValueInfoProto) -> None:
    value.type.tensor_type.shape.dim[0].dim_param = "N"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda g: setattr(g.input[0], "name", "x"), "one input, .* got 'x' uint8"),
        (lambda g: setattr(g.input[0].type.tensor_type, "elem_type", 1), "one input, .* got 'image' fp32"),
        (lambda g: change_axis(g.input[0]), r"one input, .* got 'image' uint8 \['N', 24, 32, 3\]"),
        (lambda g: g.input.add(name="extra"), r"one input, .* got 'image' .*, 'extra' type 0 \[\]"),
        (lambda g: g.ClearField("input"), "one input, .* got none"),
        (lambda g: setattr(g.output[0], "name", "y"), "one output, .* got 'y' uint8"),
        (lambda g: setattr(g.output[0].type.tensor_type, "elem_type", 7), "one output, .* got 'labels' int64"),
        (lambda g: g.output.add(name="logits"), "one output, .* got 'labels' .*, 'logits'"),
        (lambda g: g.ClearField("output"), "one output, .* got none"),
    ],
)
def test_check_door_that_is_not_the_specs_is_refused(make_proto, change, problem: str) -> None:
    proto = make_proto()
    change(proto.graph)
    with pytest.raises(SpecError, match=f"file: expected {problem}"):
        check_model_bytes(sealed(proto), "file")
