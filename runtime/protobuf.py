"""Reads protobuf's wire format, bounds-checked, from bytes that may be hostile; knows nothing of ONNX.

Source: https://protobuf.dev/programming-guides/encoding. Stricter than protobuf itself where being lenient would let
two readers of one file disagree: a field that may stand once and stands twice is refused (protobuf takes the last or
merges them), and so are groups and a known field in a foreign encoding (protobuf skips it as unknown).
"""

from dataclasses import dataclass
from typing import NamedTuple

from .errors import ModelFileError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

MAX_DEPTH = 40
"""Messages inside messages; a model of segtool's has 6, ten nested subgraphs have 34."""

MAX_FIELDS = 500_000
"""Fields in one file, so that a file of millions of empty fields ends in an error within a second or two. A network of
5,000 convolutions has 165,000."""

_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


@dataclass
class Source:
    """One file being read.

    Attributes:
        where: its name, for error messages.
        fields_left: how many more fields may be read from it.
    """

    where: str
    fields_left: int = MAX_FIELDS

    def fault(self, problem: str) -> ModelFileError:
        """Builds the error for a file that is not what it should be; the caller raises it."""
        return ModelFileError(
            f"{self.where}: expected an ONNX model as `segtool export` writes it, but {problem}; "
            "the file is damaged or was made by something else, so export it again"
        )


class Field(NamedTuple):
    """One field: `integer` is set for a varint, `span` (bytes inside the file) for every other wire type."""

    wire_type: int
    integer: int
    span: memoryview


_NO_BYTES = memoryview(b"")


class Message:
    """One protobuf message: its fields by number. Sub-messages are read when they are asked for."""

    def __init__(self, span: memoryview, what: str, source: Source, depth: int = 0) -> None:
        """Reads the message's own fields, in time linear in their number.

        Args:
            span: the message's bytes.
            what: what it is, for error messages ("the graph", "a node").
            source: the file it stands in.
            depth: how many messages it stands inside of.

        Raises:
            ModelFileError: the bytes are not a protobuf message, or pass a limit of this module.
        """
        if depth > MAX_DEPTH:
            raise source.fault(f"{what} lies more than {MAX_DEPTH} messages deep")
        self.what = what
        self.source = source
        self._depth = depth
        self._fields: dict[int, list[Field]] = {}
        position = 0
        while position < len(span):
            number, field, position = self._read_field(span, position)
            self._fields.setdefault(number, []).append(field)

    def _read_field(self, span: memoryview, position: int) -> tuple[int, Field, int]:
        self.source.fields_left -= 1
        if self.source.fields_left < 0:
            raise self.source.fault(f"it has more than {MAX_FIELDS} protobuf fields")
        tag, position = read_varint(span, position, self)
        number, wire_type = tag >> 3, tag & 7
        if not 1 <= number < 1 << 29:
            raise self.fault(f"a field number of {number}")
        if wire_type == VARINT:
            value, position = read_varint(span, position, self)
            return number, Field(wire_type, value, _NO_BYTES), position
        if wire_type == LENGTH:
            length, position = read_varint(span, position, self)
        elif wire_type in _FIXED_BYTES:
            length = _FIXED_BYTES[wire_type]
        else:
            raise self.fault(f"a field of wire type {wire_type}")
        end = position + length
        if end > len(span):
            raise self.fault(f"a field that needs {length} bytes where {len(span) - position} are left")
        return number, Field(wire_type, 0, span[position:end]), end

    def fault(self, problem: str) -> ModelFileError:
        """Builds the error "`what` has `problem`"; the caller raises it."""
        return self.source.fault(f"{self.what} has {problem}")

    def __contains__(self, number: int) -> bool:
        """Whether field `number` stands in the message at least once."""
        return number in self._fields

    def all(self, number: int, *wire_types: int) -> list[Field]:
        """Every field `number`, in the file's order, each in one of `wire_types`.

        Raises:
            ModelFileError: one of them is encoded otherwise.
        """
        found = self._fields.get(number, [])
        for field in found:
            if field.wire_type not in wire_types:
                raise self.fault(f"field {number} in wire type {field.wire_type}")
        return found

    def one(self, number: int, wire_type: int) -> Field | None:
        """The only field `number`, or None.

        Raises:
            ModelFileError: it stands there more than once, or is encoded otherwise.
        """
        found = self.all(number, wire_type)
        if len(found) > 1:
            raise self.fault(f"field {number} {len(found)} times where it may stand once")
        return found[0] if found else None

    def integer(self, number: int, default: int = 0) -> int:
        """A varint field as a signed 64-bit number."""
        field = self.one(number, VARINT)
        return default if field is None else _signed(field.integer)

    def enum(self, number: int, default: int = 0) -> int:
        """A varint field that protobuf holds in 32 bits: what stands above them is cut off, as protobuf does."""
        return self.integer(number, default) & 0xFFFFFFFF

    def integers(self, number: int) -> list[int]:
        """A repeated varint field, packed or not, as signed 64-bit numbers."""
        values: list[int] = []
        for field in self.all(number, VARINT, LENGTH):
            if field.wire_type == VARINT:
                values.append(_signed(field.integer))
                continue
            position = 0
            while position < len(field.span):
                self.source.fields_left -= 1
                if self.source.fields_left < 0:
                    raise self.source.fault(f"it has more than {MAX_FIELDS} protobuf fields")
                value, position = read_varint(field.span, position, self)
                values.append(_signed(value))
        return values

    def text(self, number: int) -> str:
        """A string field, "" where absent.

        Raises:
            ModelFileError: it is not UTF-8.
        """
        field = self.one(number, LENGTH)
        return "" if field is None else self._decode(number, field)

    def texts(self, number: int) -> list[str]:
        """Every string field `number`, in the file's order.

        Raises:
            ModelFileError: one of them is not UTF-8.
        """
        return [self._decode(number, field) for field in self.all(number, LENGTH)]

    def _decode(self, number: int, field: Field) -> str:
        try:
            return str(field.span, "utf-8")
        except UnicodeDecodeError as error:
            raise self.fault(f"text in field {number} that is not UTF-8") from error

    def message(self, number: int, what: str) -> "Message | None":
        """The only sub-message in field `number`, or None; `what` names it in error messages."""
        field = self.one(number, LENGTH)
        return None if field is None else Message(field.span, what, self.source, self._depth + 1)

    def messages(self, number: int, what: str) -> "list[Message]":
        """Every sub-message in field `number`; `what` names one in error messages."""
        return [Message(field.span, what, self.source, self._depth + 1) for field in self.all(number, LENGTH)]


def read_varint(span: memoryview, position: int, message: Message) -> tuple[int, int]:
    """Reads one varint.

    Args:
        span: bytes of `message`.
        position: where the varint begins.
        message: for the error.

    Returns:
        Its value, 0 to 2**64 - 1, and the position after it.

    Raises:
        ModelFileError: it goes past the end of the bytes or is longer than ten bytes.
    """
    if position < len(span) and span[position] < 0x80:  # nearly always, and three times as fast
        return span[position], position + 1
    value = shift = 0
    for index in range(position, min(position + 10, len(span))):
        byte = span[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, index + 1
        shift += 7
    raise message.fault("a number that is cut off or longer than ten bytes")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
