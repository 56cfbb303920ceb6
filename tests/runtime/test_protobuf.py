import time

import numpy as np
import pytest
from google.protobuf.internal import encoder

from runtime.errors import ModelFileError
from runtime.protobuf import FIXED32, LENGTH, MAX_DEPTH, MAX_FIELDS, VARINT, Message, Source


def read(data: bytes) -> Message:
    return Message(memoryview(data), "a thing", Source("file.onnx"))


def varint(value: int) -> bytes:
    return encoder._VarintBytes(value)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_integer_as_protobuf_encodes_it_comes_back(value: int) -> None:
    assert read(b"\x08" + varint(value)).integer(1) == value


def test_integer_negative_as_protobuf_encodes_it_comes_back() -> None:
    assert read(b"\x08" + varint(2**64 - 5)).integer(1) == -5


def test_enum_above_32_bits_is_cut_as_protobuf_does() -> None:
    assert read(b"\x08" + varint(2**32 + 1)).enum(1) == 1


def test_integers_packed_and_single_come_back_in_order() -> None:
    assert read(b"\x0a\x03\x01\xac\x02" + b"\x08\x07").integers(1) == [1, 300, 7]


def test_fields_of_every_wire_type_are_told_apart() -> None:
    message = read(b"\x08\x05" + b"\x11" + bytes(8) + b"\x1a\x02hi" + b"\x25" + bytes(4))
    assert message.integer(1) == 5
    assert message.text(3) == "hi"
    assert len(message.all(4, FIXED32)) == 1
    assert 2 in message
    assert 5 not in message


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x08", "a number that is cut off"),
        (b"\x08\x80", "a number that is cut off"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "longer than ten bytes"),
        (b"\x0a\x05abc", "needs 5 bytes where 3 are left"),
        (b"\x0a" + varint(2**64 - 1), "needs 18446744073709551615 bytes where 0 are left"),
        (b"\x0d\x00\x00", "needs 4 bytes where 2 are left"),
        (b"\x09\x00", "needs 8 bytes where 1 are left"),
        (b"\x0b", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x00\x01", "field number of 0"),
        (varint(1 << 32), "field number of 536870912"),
    ],
)
def test_message_malformed_names_the_problem(data: bytes, problem: str) -> None:
    with pytest.raises(ModelFileError, match=rf"file\.onnx: .*a thing has .*{problem}"):
        read(data)


def test_one_twice_is_refused() -> None:
    message = read(b"\x0a\x00\x0a\x00")
    with pytest.raises(ModelFileError, match="field 1 2 times"):
        message.message(1, "an inner thing")


def test_all_in_a_foreign_encoding_is_refused() -> None:
    with pytest.raises(ModelFileError, match="field 1 in wire type 0"):
        read(b"\x08\x01").all(1, LENGTH)
    with pytest.raises(ModelFileError, match="field 1 in wire type 2"):
        read(b"\x0a\x00").one(1, VARINT)


def test_text_not_utf8_is_refused() -> None:
    with pytest.raises(ModelFileError, match="text in field 1 that is not UTF-8"):
        read(b"\x0a\x01\xff").text(1)


def test_messages_nested_without_end_stop_at_the_cap() -> None:
    data = b""
    for _ in range(MAX_DEPTH + 1):
        data = b"\x0a" + varint(len(data)) + data
    message = read(data)
    for _ in range(MAX_DEPTH):
        (message,) = message.messages(1, "a nest")
    with pytest.raises(ModelFileError, match=f"more than {MAX_DEPTH} messages deep"):
        message.messages(1, "a nest")


@pytest.mark.parametrize("count", [999, 1000, 1001])
def test_fields_past_the_cap_are_refused(count: int) -> None:
    def read_all(data: bytes) -> None:
        Message(memoryview(data), "a thing", Source("file.onnx", fields_left=1000)).integers(1)

    for data in (b"\x08\x00" * count, b"\x0a" + varint(count - 1) + b"\x00" * (count - 1)):
        if count <= 1000:
            read_all(data)
        else:
            with pytest.raises(ModelFileError, match=f"more than {MAX_FIELDS} protobuf fields"):
                read_all(data)


def test_fields_up_to_the_cap_are_read_in_a_few_seconds() -> None:
    started = time.process_time()  # of this process alone: the machine may be busy with others
    read(b"\x0a\x00" * MAX_FIELDS)
    assert time.process_time() - started < 5


def test_message_of_random_bytes_is_read_or_refused() -> None:
    generator = np.random.default_rng(0)
    refused = 0
    for length in generator.integers(0, 40, 3000):
        try:
            read(generator.bytes(int(length)))
        except ModelFileError:
            refused += 1
    assert 1500 < refused < 3000
