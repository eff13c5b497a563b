"""distances: from the rows of a table to a half."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import vech.io
from vech.cli.options import (
    Bar,
    Real,
    check_out,
    file_argument,
    force_option,
    layout_option,
    out_option,
    size_of,
    summary,
    threads_option,
)
from vech.cli.root import Interrupted, vech_command
from vech.cli.streams import STREAM, out_format_option, source, table_format_option, target
from vech.cli.tables import how_to_read, read, table_options
from vech.results.file import is_of_a_run
from vech.results.journal import journal_of
from vech.results.wanted import SUFFIX


@vech_command.command(short_help="Write the distances between the rows of a table.")
@file_argument
@out_option
@click.option(
    "--metric",
    metavar="NAME",
    default="euclidean",
    show_default=True,
    help="A metric of SciPy's pdist by any of its names, or haversine. Example: --metric cosine",
)
@click.option(
    "-p", type=Real(), help="Of --metric minkowski: the power that is summed, 2 unless said. Example: -p 3"
)
@click.option(
    "--missing",
    type=click.Choice(["raise", "pairwise"]),
    help="What an empty cell or NaN means: an error, as unless said, or left out of each pair. "
    "Example: --missing pairwise",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="Numbers of the half: those of a .npy of float32 are float32, others float64. "
    "Example: --dtype float32",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a run that was interrupted or killed: the same command, and this. Example: --resume",
)
@table_options
@table_format_option
@out_format_option
@layout_option(("--layout",), "Layout of the half to write.", default="condensed", show_default=True)
@threads_option
@force_option
def distances(
    file: Path,
    out: Path,
    metric: str,
    p: float | None,
    missing: str | None,
    dtype: str | None,
    resume: bool,
    in_format: str | None,
    out_format: str | None,
    layout: str,
    threads: int | None,
    force: bool,
    **more: Any,
) -> None:
    """Write the distances between the rows of a table, whose columns are numbers; - is stdin.

    A table is text (.csv, .tsv, .txt, also .gz), .parquet, .feather, Excel or a 2-D .npy, which need not
    fit in memory. Its labels of rows stay. A half in .npy is written as it is computed, beside it a
    journal until it is complete.

    \b
    Examples:
      vech distances vectors.npy -o d.npy --metric cosine
      vech distances vectors.npy -o d.npy --metric cosine --resume
      vech distances genes.csv -o d.npz --index gene --metric minkowski -p 3 --missing pairwise
    """
    how = how_to_read(more)
    given: dict[str, Any] = {"p": p, "missing": missing, "dtype": dtype}
    given = {name: value for name, value in given.items() if value is not None}
    in_place = out != STREAM and out.suffix.lower() == SUFFIX
    if resume and not in_place:
        raise click.ClickException(
            f"--resume goes on with a {SUFFIX} file, and OUT is {out}: name one that ends so"
        )
    check_out(file, out, force or (resume and is_of_a_run(out)))
    with target(out, out_format) as made, source(file, in_format) as path:
        vech.io.file_format(made)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            table = read(path, how)
            rows = len(table)
            half = vech.as_layout(layout).length(rows) * (4 if dtype == "float32" else 8)
            bar.now(f"{metric} distances of {rows:,} rows", half, "tiles")
            given |= {"layout": layout, "threads": threads, "progress": bar}
            X = table.numbers if table.index is None else table
            with _naming(path):
                if in_place:
                    store = _made_in_place(made, X, metric, resume=resume, **given)
                else:
                    store = vech.pairwise.distances(X, metric, **given)
            if not in_place:
                bar.now(f"writing {made.name}", store.nbytes)
                vech.io.write(made, store, overwrite=force)
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say the name of the file for X, which is in it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if not str(error).startswith("X "):
            raise
        raise click.ClickException(f"{path}{str(error)[1:]}") from error


def _made_in_place(out: Path, X: Any, metric: str, **given: Any) -> Any:
    """Compute the half where it is to be; an interrupt says how to go on."""
    try:
        return vech.pairwise.distances(X, metric, out=out, **given)
    except KeyboardInterrupt as stop:
        if not journal_of(out).exists():
            raise
        raise Interrupted(f"interrupted; the same command with --resume goes on with {out}") from stop
