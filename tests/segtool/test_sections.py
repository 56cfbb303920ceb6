"""A command with options in sections, and options that hold numbers."""

import click
import pytest
from click.testing import CliRunner

from segtool.sections import SectionedCommand, number_list, number_or_none


@pytest.fixture
def command():
    @click.command(cls=SectionedCommand)
    @click.option("--plain", help="Of no section.")
    def show(**flags):
        click.echo(repr(flags))

    show.sections = {
        "Numbers": [
            click.Option(["--decay"], callback=number_or_none, help="One or none."),
            click.Option(["--scale"], callback=number_list, help="Several."),
        ],
        "Empty": [],
    }
    return show


def test_sectioned_command_passes_every_option_on(command):
    done = CliRunner().invoke(command, ["--plain", "a", "--decay", "0.5", "--scale", "0.5,2"])
    assert done.output == "{'plain': 'a', 'decay': 0.5, 'scale': (0.5, 2.0)}\n"
    assert (
        CliRunner().invoke(command, ["--decay", "none"]).output == "{'decay': 'none', 'plain': None, 'scale': None}\n"
    )


def test_sectioned_command_help_has_the_sections_in_order(command):
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    order = [lines.index(heading) for heading in ("Options:", "Numbers:")]
    assert order == sorted(order)
    assert any("--plain" in line for line in lines[order[0] : order[1]])
    assert [line.split()[0] for line in lines[order[1] + 1 :] if line] == ["--decay", "--scale"]
    assert "Empty:" not in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--decay", "much"], "expected a number or none, got 'much'"),
        (["--scale", "1,,2"], "expected numbers with commas between them, such as 0.5,2, got '1,,2'"),
    ],
)
def test_numbers_that_are_none_are_refused(command, arguments, message):
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2
    assert message in done.output
