"""A command whose help shows its many options in sections. Knows no command."""

from collections.abc import Mapping, Sequence

import click


class SectionedCommand(click.Command):
    """A click command with options in sections.

    Attributes:
        sections: the options under each heading, in the order of the help; they are the command's own, in addition to
            those that it was made with.
    """

    sections: Mapping[str, Sequence[click.Option]] = {}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Returns every parameter: arguments and plain options, then the sections', then --help."""
        own = super().get_params(ctx)
        help_option = self.get_help_option(ctx)
        front = [each for each in own if each is not help_option]
        grouped = [option for options in self.sections.values() for option in options]
        return [*front, *grouped, *([help_option] if help_option is not None else [])]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes each section's options under its heading, what is in none of them under "Options" first."""
        grouped = {id(option) for options in self.sections.values() for option in options}
        rest = [each for each in self.get_params(ctx) if isinstance(each, click.Option) and id(each) not in grouped]
        for heading, options in {"Options": rest, **self.sections}.items():
            records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def number_or_none(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """Reads an option's text as a float, or as "none" for no such thing at all; None where it was not given."""
    if value in (None, "none"):
        return value
    try:
        return float(value)
    except ValueError as error:
        raise click.BadParameter(f"expected a number or none, got {value!r}", ctx=ctx, param=param) from error


def number_list(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Reads an option's text as floats with commas between them; None where it was not given."""
    if value is None:
        return None
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError as error:
        message = f"expected numbers with commas between them, such as 0.5,2, got {value!r}"
        raise click.BadParameter(message, ctx=ctx, param=param) from error


def gate_values(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, float]:
    """Reads texts NAME=NUMBER into a dict; a name that comes twice is refused."""
    read: dict[str, float] = {}
    for text in value:
        name, _, number = (part.strip() for part in text.partition("="))
        if name in read:
            raise click.BadParameter(f"expected {name} once, got it again with {text!r}", ctx=ctx, param=param)
        try:
            read[name] = float(number)
        except ValueError as error:
            message = f"expected NAME=NUMBER, such as agreement=0.999, got {text!r}"
            raise click.BadParameter(message, ctx=ctx, param=param) from error
    return read


def size_px(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Reads WIDTHxHEIGHT as two whole numbers; None where it was not given."""
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"expected WIDTHxHEIGHT, such as 1920x1208, got {value!r}", ctx=ctx, param=param)
    return int(width), int(height)


def crop_px(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int, int, int] | None:
    """Reads X,Y,W,H as four whole numbers; None where it was not given."""
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"expected X,Y,W,H, such as 0,124,1920,960, got {value!r}", ctx=ctx, param=param)
    x, y, width, height = (int(part) for part in parts)
    return x, y, width, height


def whole_list(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Reads an option's text as whole numbers from 1 with commas between them; None where it was not given."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    if len(numbers) < len(parts) or 0 in numbers or len(set(numbers)) < len(numbers):
        message = f"expected whole numbers from 1 with commas between them, each once, such as 1,2, got {value!r}"
        raise click.BadParameter(message, ctx=ctx, param=param)
    return numbers


def name_list(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Reads an option's text as names with commas between them, each once."""
    names = tuple(part.strip() for part in value.split(","))
    if not all(names) or len(set(names)) < len(names):
        message = f"expected names with commas between them, each once, got {value!r}"
        raise click.BadParameter(message, ctx=ctx, param=param)
    return names


def size_list(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[tuple[int, int], ...] | None:
    """Reads WIDTHxHEIGHT,WIDTHxHEIGHT as pairs of whole numbers; None where it was not given."""
    if value is None:
        return None
    sizes = (size_px(ctx, param, part.strip()) for part in value.split(","))
    return tuple(size for size in sizes if size is not None)


def percent(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads 5% or 5 as the share 0.05; None where it was not given."""
    if value is None:
        return None
    try:
        share = float(value.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise click.BadParameter(
            f"expected percent from 0 to under 100, such as 5%, got {value!r}", ctx=ctx, param=param
        )
    return share
