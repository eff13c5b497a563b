"""What commands share that read a table: its options, and the table."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import click

from vech.cli.options import Command, each
from vech.io.errors import visible
from vech.io.lines import marked
from vech.io.tables import read_table

TABLE = (
    click.option(
        "--sep", metavar="MARK", help="What separates cells of text, unless seen. Example: --sep ';'"
    ),
    click.option(
        "--decimal", metavar="MARK", help="Decimal mark of text, '.' unless said. Example: --decimal ,"
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first line of text names the columns; seen unless names are numbers. "
        "Example: --header",
    ),
    click.option(
        "--index",
        metavar="COLUMN",
        help="Column that labels the rows, by name or else by number from 0. Example: --index date",
    ),
    click.option(
        "--no-index",
        is_flag=True,
        help="The first column is numbers, though it looks like labels. Example: --no-index",
    ),
    click.option(
        "--drop",
        metavar="COLUMN",
        multiple=True,
        help="Column to leave out, as for --index; as often as you like. Example: --drop sector",
    ),
    click.option(
        "--dates",
        type=click.Choice(["raise", "drop"]),
        help="Whether columns of dates are an error, as unless said, or left out. Example: --dates drop",
    ),
    click.option(
        "--na",
        metavar="TEXT",
        multiple=True,
        help="What else stands for a missing number beside NA, NaN, null, an empty cell and so on; "
        "as often as you like. Example: --na -999",
    ),
    click.option(
        "--comment", metavar="MARK", help="How lines begin that are passed over. Example: --comment '#'"
    ),
    click.option(
        "--encoding", metavar="NAME", help="Encoding of text, UTF-8 unless said. Example: --encoding cp1252"
    ),
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook, by name. Example: --sheet Returns"),
)


def table_options(command: Command) -> Command:
    """Give a command the options of a table."""
    return each(TABLE)(command)


def how_to_read(options: dict[str, Any]) -> dict[str, Any]:
    """Take those of a table out of the options of a command."""
    names = {"no_index", *signature(read_table).parameters}
    return {name: options.pop(name) for name in names & options.keys()}


def read(path: Path, options: dict[str, Any], how: Callable[..., Any] = read_table) -> Any:
    """Read a table as these options say: of numbers, unless told how."""
    if options.pop("no_index"):
        if options["index"] is not None:
            raise click.ClickException("--index and --no-index: say one of them")
        options["index"] = False
    table = how(path, **{name: value for name, value in options.items() if value not in (None, ())})
    if options.get("encoding") is None and (encoding := marked(path)) is not None:
        click.echo(visible(f"{path}: read as {encoding}, which its first bytes say"), err=True)
    return table
