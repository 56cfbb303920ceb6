import json

import pytest

from runtime.errors import SpecError
from runtime.spec import SCHEMA_VERSION, ModelSpec


def expectation(more: dict[str, object] | None = None, **changes: object) -> dict[str, object]:
    """What `expected` may hold in a file of the four classes without confidence, or something near it."""
    shares = {"road": [0.25, 0.5], "sky": [0.0, 0.25], "car": [0, 1], "tree": [0.125, 0.125]}
    return {"frames": 200, "shares": shares | (more or {}), "unsure": None} | changes


def test_from_json_of_to_json_is_the_same_spec(make_spec) -> None:
    spec = make_spec(parity={"agreement": 0.9999, "passed": True}, licence_note="Straße, CC BY-NC 4.0")
    assert ModelSpec.from_json(spec.to_json(), "file.onnx") == spec


def test_from_json_keeps_what_is_expected_of_answers(make_spec) -> None:
    spec = make_spec(expected=expectation())
    assert ModelSpec.from_json(spec.to_json(), "file.onnx").expected == expectation()
    unsure = make_spec(expected=expectation(unsure=0.07), confidence={"temperature": 1.25})
    assert ModelSpec.from_json(unsure.to_json(), "file.onnx") == unsure


@pytest.mark.parametrize("unsure", [None, -0.1, 1.1, "0.1", True])
def test_from_json_expected_of_a_file_with_confidence_needs_a_share_of_unsure(make_spec, unsure: object) -> None:
    document = json.loads(make_spec(confidence={"temperature": 1}).to_json()) | {"expected": expectation(unsure=unsure)}
    with pytest.raises(SpecError, match=rf"expected\.unsure to be a share, 0 to 1, .* got {unsure!r}"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_from_json_of_schema_2_says_that_an_older_segtool_wrote_it(make_spec) -> None:
    document = json.loads(make_spec().to_json()) | {"schema_version": 2}
    del document["expected"]  # the one addition of schema 3
    with pytest.raises(SpecError, match=r"a spec of schema 3, got schema 2, from an older segtool; export the"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_to_json_holds_every_field_in_plain_json(make_spec) -> None:
    document = json.loads(make_spec().to_json())
    assert document["classes"] == ["road", "sky", "car", "tree"]
    assert document["palette"][1] == [70, 130, 180]
    assert (document["height_px"], document["width_px"], document["ignore_id"]) == (24, 32, 255)
    assert (document["schema_version"], document["camera"], document["batch"]) == (3, None, 1)
    assert (document["labels_at"], document["labels_from"]) == ("network", "labels")
    assert [document[name] for name in ("parity", "confidence", "golden", "expected", "numerics")] == [None] * 5


def test_from_json_newer_schema_is_refused_by_number(make_spec) -> None:
    newer = json.loads(make_spec().to_json()) | {"schema_version": SCHEMA_VERSION + 1, "novelty": 1}
    with pytest.raises(SpecError, match=r"file\.onnx: expected a spec of schema 3, got schema 4, from a newer"):
        ModelSpec.from_json(json.dumps(newer), "file.onnx")


@pytest.mark.parametrize("version", [None, 0, -1, "1", 1.0, True])
def test_from_json_schema_version_of_no_sense_is_refused(make_spec, version: object) -> None:
    document = json.loads(make_spec().to_json()) | {"schema_version": version}
    with pytest.raises(SpecError, match=f"schema_version of 1 to 3, got {version!r}"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_from_json_of_schema_1_says_that_an_older_segtool_wrote_it(make_spec) -> None:
    # as segtool 0.1 wrote it, before cameras
    document = json.loads(make_spec().to_json()) | {"schema_version": 1, "input_layout": "rgb_nhwc"}
    for name in ("camera", "labels_at", "labels_from", "confidence", "golden", "expected", "numerics"):
        del document[name]
    with pytest.raises(SpecError, match=r"file\.onnx: expected .* 3, got schema 1, from an older segtool; export the"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_from_json_fields_missing_and_unknown_are_named(make_spec) -> None:
    document = json.loads(make_spec().to_json()) | {"colour_order": "bgr"}
    del document["std"]
    with pytest.raises(SpecError, match=r"without \['std'\] and with unknown \['colour_order'\]"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("{", "text that is not"),
        ("[1]", "to be a JSON object, got '\\[1\\]'"),
        ("null", "to be a JSON object, got 'null'"),
        ('{"batch": 1, "batch": 2}', "the key 'batch' stands there twice"),
        ('{"training": {"seed": 1, "seed": 2}}', "the key 'seed' stands there twice"),
        ('{"mean": [NaN, 0, 0]}', "the number NaN is not finite"),
        ('{"mean": [-Infinity, 0, 0]}', "the number -Infinity is not finite"),
        ('{"training": {"loss": 1e999}}', "the number 1e999 is not finite"),
        ("[" * 100_000, "recursion|nest"),
        ("1" * 10_000, "integer string conversion"),
    ],
)
def test_from_json_of_no_json_names_the_problem(text: str, problem: str) -> None:
    with pytest.raises(SpecError, match=rf"file\.onnx: expected .*(?i:{problem})"):
        ModelSpec.from_json(text, "file.onnx")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("label_space", "", "label_space to be text, got ''"),
        ("label_space", 7, "label_space to be text, got 7"),
        ("classes", [], "1 to 255 classes .*, got 0"),
        ("classes", [f"c{i}" for i in range(256)], "1 to 255 classes .*, got 256"),
        ("classes", ["a", "b", "b", "c"], "each class name once"),
        ("classes", "road", "classes to be names, got 'road'"),
        ("classes", ["a", "b", "", "c"], "classes to be names"),
        ("palette", [[0, 0, 0]], "one colour for each of the 4 classes, got 1"),
        ("palette", [[0, 0, 256]] * 4, "RGB colours of 0 to 255"),
        ("palette", [[0, 0]] * 4, "RGB colours of 0 to 255"),
        ("palette", [[0, 0, 1.5]] * 4, "RGB colours of 0 to 255"),
        ("palette", {"road": 1}, "RGB colours of 0 to 255"),
        ("height_px", 0, "height_px to be 1 to 16384, got 0"),
        ("width_px", 99999, "width_px to be 1 to 16384, got 99999"),
        ("width_px", 32.0, "width_px to be 1 to 16384, got 32.0"),
        ("batch", True, "batch to be 1 to 16384, got True"),
        ("mean", [0, 0], "mean to be three finite numbers, got"),
        ("mean", ["a", 0, 0], "mean to be three finite numbers, got"),
        ("mean", [0, 10**400, 0], r"mean to be three finite numbers, got \(0, 10000"),
        ("std", [1, 0, 1], "std to be three finite numbers over 0, got"),
        ("std", [10**400, 1, 1], r"std to be three finite numbers over 0, got \(10000"),
        ("precision", "fp64", "precision to be one of fp32, fp16, int8, got 'fp64'"),
        ("precision", ["fp32"], r"precision to be one of fp32, fp16, int8, got \['fp32'\]"),
        ("labels_at", "screen", "labels_at to be one of network, camera, got 'screen'"),
        ("labels_at", "camera", "labels_at 'network' without a camera, got 'camera'"),
        ("labels_from", None, "labels_from to be one of logits, labels, got None"),
        ("confidence", True, "confidence to be a JSON object, got True"),
        ("confidence", {}, "confidence.temperature to be a number over 0, got None"),
        ("confidence", {"temperature": 0}, "confidence.temperature to be a number over 0, got 0"),
        ("confidence", {"temperature": True}, "confidence.temperature to be a number over 0, got True"),
        ("confidence", {"temperature": "1"}, "confidence.temperature to be a number over 0, got '1'"),
        ("expected", 1, "expected to be a JSON object, got 1"),
        ("expected", {}, "expected.frames to be 1 or more, got None"),
        ("expected", expectation(frames=0), "expected.frames to be 1 or more, got 0"),
        ("expected", expectation(frames=2.0), "expected.frames to be 1 or more, got 2.0"),
        ("expected", expectation(shares=None), "for each class and no other, got None"),
        ("expected", expectation(shares={"road": [0, 1]}), r"for each class and no other, got {'road': \[0, 1\]}"),
        ("expected", expectation(more={"rails": [0, 1]}), "for each class and no other, got .*'rails'"),
        ("expected", expectation(more={"car": [0.5, 0.4]}), r"a lowest and a highest share, .* got .*\[0.5, 0.4\]"),
        ("expected", expectation(more={"car": [0, 1.5]}), r"a lowest and a highest share, 0 to 1, .* got .*\[0, 1.5\]"),
        ("expected", expectation(more={"car": [-0.1, 1]}), r"a lowest and a highest share, .* got .*\[-0.1, 1\]"),
        ("expected", expectation(more={"car": [0, True]}), r"a lowest and a highest share, .* got .*\[0, True\]"),
        ("expected", expectation(more={"car": [0]}), r"a lowest and a highest share, .* got .*'car': \[0\]"),
        ("expected", expectation(more={"car": 0.5}), "a lowest and a highest share, .* got .*'car': 0.5"),
        ("expected", expectation(unsure=0.5), "expected.unsure to be a share, .*, or None without confidence, got 0.5"),
        ("numerics", [], r"numerics to be a JSON object, got \[\]"),
        ("ignore_id", 0, "ignore_id 255, got 0"),
        ("training", None, "training to be a JSON object, got None"),
        ("producer", [], "producer to be a JSON object"),
        ("parity", 1, "parity to be a JSON object, got 1"),
        ("licence_note", None, "licence_note to be text, got None"),
        ("resize", "", "resize to be text, got ''"),
    ],
)
def test_from_json_field_out_of_range_is_named(make_spec, field: str, value: object, problem: str) -> None:
    document = json.loads(make_spec().to_json()) | {field: value}
    with pytest.raises(SpecError, match=rf"file\.onnx: model spec: expected .*{problem}"):
        ModelSpec.from_json(json.dumps(document), "file.onnx")


def test_spec_made_wrong_is_refused_where_it_is_made(make_spec) -> None:
    with pytest.raises(SpecError, match="expected std to be three finite numbers over 0, got \\(nan"):
        make_spec(std=(float("nan"), 1.0, 1.0))
    with pytest.raises(SpecError, match="expected schema_version 3, got 4"):
        make_spec(schema_version=4)


@pytest.mark.parametrize("training", [{"a": float("inf")}, {"a": {1, 2}}, {"a": b"x"}])
def test_to_json_of_what_json_cannot_hold_is_refused(make_spec, training: dict) -> None:
    with pytest.raises(SpecError, match="expected training, producer, parity and the like to be JSON objects, but"):
        make_spec(training=training).to_json()
