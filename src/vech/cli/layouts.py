"""identify, dialects: which layout a half has, and which there are."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

import vech
import vech.io
from vech.arrays import check_memory
from vech.cli.options import (
    Bar,
    Count,
    LayoutName,
    OutFile,
    check_new,
    dtype_option,
    file_argument,
    force_option,
    is_plain,
    size_of,
)
from vech.cli.pictures import save
from vech.cli.root import vech_command
from vech.identify import Candidates
from vech.io.errors import visible
from vech.layouts.dialects import CANONICAL
from vech.layouts.pictures import LEGEND, conversions, in_words, picture, sides, twin, users


def _entries(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[Any, Any]:
    """Make of each I,J=VALUE an entry (i, j): value."""
    known: dict[Any, Any] = {}
    for value in values:
        pair, _, text = value.partition("=")
        try:
            if not is_plain(value):
                raise ValueError
            i, j = map(int, pair.split(","))
            number = complex(text)
        except ValueError:
            raise click.BadParameter(
                f"{value!r} is not I,J=VALUE, such as 0,1=0.25", param=parameter
            ) from None
        known[i, j] = int(text) if text.strip("+-").isdecimal() else number if number.imag else number.real
    return known


@vech_command.command(short_help="Say which layouts the half in FILE can have, and why.")
@file_argument
@click.option("--n", type=Count(min=0), help="Side of the matrix. Example: --n 4000")
@click.option(
    "--matrix",
    metavar="FULL",
    type=click.Path(path_type=Path),
    help="File of the matrix that it should be the half of. Example: --matrix full.npy",
)
@click.option("--psd", is_flag=True, help="The matrix is positive semidefinite. Example: --psd")
@click.option(
    "--unit-diagonal", is_flag=True, help="The diagonal of the matrix is all one. Example: --unit-diagonal"
)
@click.option(
    "--entry",
    "entries",
    metavar="I,J=VALUE",
    multiple=True,
    callback=_entries,
    help="A number of the matrix, rows and columns from 0; as often as you like. Example: --entry 0,1=0.25",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="How far numbers may differ, of a half that was printed or rounded. Example: --tolerance 5e-7",
)
@dtype_option
def identify(
    file: Path,
    n: int | None,
    matrix: Path | None,
    psd: bool,
    unit_diagonal: bool,
    entries: dict[Any, Any],
    tolerance: float | None,
    dtype: str | None,
) -> None:
    """Say which layouts the half in FILE can have, best first, and why; never more than is known.

    A wrong order gives a matrix of the right size and the wrong numbers, and no error. The full matrix
    settles it, or nearly; a few entries, --psd or --unit-diagonal rule out most.

    \b
    Examples:
      vech identify half.npy
      vech identify half.npy --matrix full.npy
      vech identify half.bin --dtype '<f8' --n 40 --psd --entry 0,1=0.25
    """
    facts = {"positive semidefinite": psd, "unit diagonal": unit_diagonal}
    known = entries | {fact: True for fact, holds in facts.items() if holds}
    with Bar(f"reading {file.name}", size_of(file)) as bar:
        half = vech.io.load(file, dtype=dtype)
        said = half.describe().layout if isinstance(half, vech.Store) else None
        way = f"vech convert {file} --to vech" if isinstance(half, vech.Store) else f"vech pack {file}"
        half = getattr(half, "half", half)
        if getattr(half, "ndim", 2) != 1:
            raise click.ClickException(f"{file} holds a matrix and no half: {way} makes one")
        full = None if matrix is None else _full(matrix, dtype)
        bar.now(f"identifying {file.name}", half.nbytes)
        found = vech.identify(half, n=n, matrix=full, known=known, tolerance=tolerance)
    if not found:
        raise click.ClickException(found.summary)
    _print_found(found, said and said.name)


def _full(path: Path, dtype: str | None) -> Any:
    """Load the full matrix in a file, or expand the half."""
    raw = path.suffix.lower() == ".bin"
    content = vech.io.load(path, dtype=dtype if raw else None)
    if isinstance(content, vech.Store):
        return content.expand()
    if content.ndim == 2:
        if isinstance(content, np.ndarray):
            return content
        check_memory(
            math.prod(content.shape) * content.dtype.itemsize, "--entry takes numbers of the matrix instead"
        )
        return content.toarray()
    side = math.isqrt(content.size)
    if raw and side * side == content.size:
        return content.reshape(side, side)
    raise click.ClickException(f"{path} holds {content.size:,} numbers in a row: --matrix is a full matrix")


@vech_command.command(short_help="List all layouts, or show one.")
@click.argument("name", required=False, type=LayoutName())
@click.option(
    "--plot",
    metavar="OUT",
    type=OutFile(path_type=Path),
    help="Draw it too: .png, .svg, .pdf. Example: --plot order.svg",
)
@click.option("--n", type=Count(min=1, max=12), help="Side of the matrix to draw. Example: --n 6")
@force_option
def dialects(name: str | None, plot: Path | None, n: int | None, force: bool) -> None:
    """List all layouts and who has them, or show the one of that NAME and how to convert it.

    \b
    Examples:
      vech dialects
      vech dialects clarabel-psd
      vech dialects svec-lower --plot order.png --n 6
    """
    if name is None and plot is not None:
        raise click.ClickException("--plot draws one layout: say its NAME")
    if n is not None and plot is None:
        raise click.ClickException("--n is for --plot")
    if name is None:
        _print_layouts()
    else:
        _print_layout(name)
        if plot is not None:
            check_new(plot, force)
            save(plot, (5.0, 5.4), partial(vech.plot.layout, name, n), overwrite=force)
            click.echo(visible(f"{plot}: the order as a picture"))


def _print_layouts() -> None:
    table = Table(
        Column("layout", no_wrap=True),
        Column("order, diagonal, scale", max_width=24),
        "names",
        Column("who", overflow="fold"),
    )
    for name in CANONICAL:
        order, diagonal, scale = in_words(vech.as_layout(name))
        rows = users(name)
        names = {name, *(row.name for row in rows)}
        who = "; ".join(dict.fromkeys(row.library for row in rows))
        table.add_row(name, f"{order}; {diagonal}; {scale}", str(len(names)), who)
    console = Console(highlight=False)
    console.print(table)
    console.print("vech dialects NAME shows one; any of its names will do.")


def _print_layout(name: str) -> None:
    layout = vech.as_layout(name)
    order, diagonal, scale = in_words(layout)
    drawn = [picture(layout, n) for n in sides(layout)]
    click.echo(f"{name} = {layout.name}" if name != layout.name else name)
    click.echo(f"{order}; diagonal {diagonal}; scale {scale}")
    if (same := twin(layout)) is not None:
        click.echo(f"same numbers for a symmetric matrix: {same[0]} ({'; '.join(same[1])})")
    click.echo()
    click.echo("\n\n".join(drawn) + "\n")
    marks = (f"{mark} {meaning}" for mark, meaning in LEGEND.items() if mark in "".join(drawn))
    click.echo("\n".join(marks) + "\n")
    for row in users(name):
        click.echo(f"{row.name}: {row.library}, {row.calls}")
        click.echo(f"    proof: {row.proof}")
        if row.quirks:
            click.echo(f"    mind: {row.quirks}")
    click.echo("\n" + "\n".join(conversions(name)))


def _print_found(found: Candidates, said: str | None) -> None:
    console = Console(highlight=False)
    console.print(found.summary + (f"\nThe file says {said}." if said else ""), markup=False)
    fitting, ruled_out = Table("rank", "layout", "n", "verdict", "why"), Table("ruled out", "n", "why")
    for row in [*found, *found.excluded]:
        names, why = Text("\n".join(row.names)), Text("\n".join(row.reasons))
        if row.rank:
            fitting.add_row(f"{row.rank}", names, f"{row.n:,}", row.verdict, why)
        else:
            ruled_out.add_row(names, f"{row.n:,}", why)
    console.print(fitting, *([ruled_out] if found.excluded else []))
