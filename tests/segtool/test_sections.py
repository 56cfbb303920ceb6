"""A command with options in sections, and options that hold numbers."""

import click
import pytest
from click.testing import CliRunner

from segtool.sections import (
    SectionedCommand,
    crop_px,
    gate_values,
    number_list,
    number_or_none,
    percent,
    size_list,
    size_px,
    whole_list,
)


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


@pytest.fixture
def camera():
    @click.command()
    @click.option("--size", callback=size_px)
    @click.option("--crop", callback=crop_px)
    @click.option("--gate", multiple=True, callback=gate_values)
    def show(**flags):
        click.echo(repr(flags))

    return show


def test_sizes_crops_and_gates_are_read(camera):
    arguments = [
        "--size",
        "1920x1208",
        "--crop",
        "0,124,1920,960",
        "--gate",
        "agreement=0.9995",
        "--gate",
        "lost_pixels=3",
    ]
    read = "{'size': (1920, 1208), 'crop': (0, 124, 1920, 960), 'gate': {'agreement': 0.9995, 'lost_pixels': 3.0}}\n"
    assert CliRunner().invoke(camera, arguments).output == read
    assert CliRunner().invoke(camera, []).output == "{'size': None, 'crop': None, 'gate': {}}\n"
    assert "(640, 480)" in CliRunner().invoke(camera, ["--size", "640X480"]).output
    assert "(1, 2, 3, 4)" in CliRunner().invoke(camera, ["--crop", "1, 2, 3, 4"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((["--size", text], f"such as 1920x1208, got {text!r}") for text in ("big", "128", "128x", "1x2x3", "-1x2")),
        *((["--crop", text], f"such as 0,124,1920,960, got {text!r}") for text in ("1,2,3", "1,2,3,4,5", "-1,0,2,2")),
        (["--crop", "1.5,0,2,2"], "such as 0,124,1920,960, got '1.5,0,2,2'"),
        *((["--gate", text], f"such as agreement=0.999, got {text!r}") for text in ("agreement", "agreement=much")),
        (["--gate", "a=1", "--gate", "b=2", "--gate", " a = 3"], "expected a once, got it again with ' a = 3'"),
    ],
)
def test_sizes_crops_and_gates_that_are_none_are_refused(camera, arguments, message):
    done = CliRunner().invoke(camera, arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.fixture
def bench():
    @click.command()
    @click.option("--threads", callback=whole_list)
    @click.option("--sizes", callback=size_list)
    @click.option("--most", callback=percent)
    def show(**flags):
        click.echo(repr(flags))

    return show


def test_lists_and_percent_are_read(bench):
    done = CliRunner().invoke(bench, ["--threads", "1, 2", "--sizes", "128x128,256x128", "--most", "5%"])
    assert done.output == "{'threads': (1, 2), 'sizes': ((128, 128), (256, 128)), 'most': 0.05}\n"
    assert CliRunner().invoke(bench, ["--most", "2.5"]).output == "{'most': 0.025, 'threads': None, 'sizes': None}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], "such as 1,2, got '0'"),
        (["--threads", "1,"], "such as 1,2, got '1,'"),
        (["--sizes", "128"], "expected WIDTHxHEIGHT, such as 1920x1208, got '128'"),
        (["--most", "-1%"], "such as 5%, got '-1%'"),
        (["--most", "100"], "such as 5%, got '100'"),
        (["--most", "nan"], "such as 5%, got 'nan'"),
        (["--most", "few"], "such as 5%, got 'few'"),
    ],
)
def test_lists_and_percent_that_are_none_are_refused(bench, arguments, message):
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 2
    assert message in done.output.replace("\n", " ")
