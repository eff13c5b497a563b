"""The page of the command line tells every option of every command."""

from pathlib import Path
from runpy import run_path

import click
import pytest

from vech.cli import vech_command

DOCS = Path(__file__).parent.parent.parent / "docs"
if not (DOCS / "options.py").exists():
    pytest.skip("docs/ is not beside the tests", allow_module_level=True)
options = run_path(str(DOCS / "options.py"))
SOURCE = (DOCS / "command-line.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").replace(r"\|", "/").split("|")]
    for line in options["with_tables"](SOURCE).splitlines()
    if line.startswith("| ") and "`-" in line
]


@pytest.mark.parametrize("command", sorted(vech_command.commands))
def test_every_option_of_a_command_is_told(command):
    assert f"`{command}" in SOURCE.partition("## ")[0]
    for option in vech_command.commands[command].params:
        if not isinstance(option, click.Option):
            continue
        said = option.help.partition(" Example: ")[0].replace("|", "/")
        for name in (*option.opts, *option.secondary_opts):
            assert any(
                (f"`{name}`" in line or f"`{name} " in line) and said in line
                for *cells, last in ROWS
                if command in (*cells[:1], *last.split(", "))
                for line in [" | ".join([*cells, last])]
            ), (command, name)


def test_tables_take_the_place_of_their_lines():
    page = options["with_tables"](SOURCE)
    for mark in (options["SHARED"], options["OWN"]):
        assert SOURCE.count(mark) == 1 and mark not in page


def test_choices_are_listed_and_marks_of_tables_are_not_taken_for_such():
    rows = {(names, *commands): what for names, what, commands in options["rows"]()}
    assert "One of `symmetric`, `hermitian`" in next(rows[row] for row in rows if row[0] == "`--kind`")
    assert r"n eps max\|a\|" in next(
        rows[row] for row in rows if row[1:] == ("pack",) and "tolerance" in row[0]
    )
