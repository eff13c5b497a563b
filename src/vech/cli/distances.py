"""distances, similarity: from the rows of a table to a half."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import vech.io
from vech.cli.executors import Workers, executor_option, started
from vech.cli.making import check_made, is_made_in_place, made_in_place, naming, resume_option
from vech.cli.options import (
    Bar,
    Real,
    each,
    file_argument,
    force_option,
    layout_option,
    out_option,
    size_of,
    summary,
    threads_option,
)
from vech.cli.root import vech_command
from vech.cli.streams import STREAM, out_format_option, source, table_format_option, target
from vech.cli.tables import how_to_read, read, table_options
from vech.io.tables import read_mixed

MAKING = (
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64"]),
        help="Numbers of the half: those of a .npy of float32 are float32, others float64. "
        "Example: --dtype float32",
    ),
    resume_option,
    executor_option,
    table_options,
    table_format_option,
    out_format_option,
)


@vech_command.command(short_help="Write the distances between the rows of a table.")
@file_argument
@out_option
@click.option(
    "--metric",
    metavar="NAME",
    default="euclidean",
    show_default=True,
    help="A metric of SciPy's pdist by any of its names, haversine, or gower. Example: --metric cosine",
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
@each(MAKING)
@layout_option(("--layout",), "Layout of the half to write.", default="condensed", show_default=True)
@threads_option
@force_option
def distances(metric: str, p: float | None, missing: str | None, **more: Any) -> None:
    """Write the distances between the rows of a table, whose columns are numbers; - is stdin.

    Those of --metric gower may be text too, each of names that are equal or not, and in .parquet and
    .feather of what they are there: dates, truth values, categories.

    A table is text (.csv, .tsv, .txt, also .gz), .parquet, .feather, Excel or a 2-D .npy, which need not
    fit in memory. Its labels of rows stay. A half in .npy is written as it is computed, beside it a
    journal until it is complete; so are the tiles of a .zarr, of which each that is there is done.

    \b
    Examples:
      vech distances vectors.npy -o d.npy --metric cosine
      vech distances vectors.npy -o d.npy --metric cosine --resume
      vech distances vectors.npy -o d.zarr --executor local:2
      vech distances genes.csv -o d.npz --index gene --metric minkowski -p 3 --missing pairwise
      vech distances people.csv -o d.npz --index name --metric gower
    """
    _make(vech.pairwise.distances, metric, f"{metric} distances", {"p": p, "missing": missing}, **more)


@vech_command.command(short_help="Write the similarities of the rows of a table, by a kernel.")
@file_argument
@out_option
@click.option(
    "--metric",
    metavar="NAME",
    default="rbf",
    show_default=True,
    help="A kernel of scikit-learn's pairwise_kernels, or matern. Example: --metric cosine",
)
@click.option(
    "--gamma",
    type=Real(),
    help="How fast similarity falls with distance, or a factor of inner products; one over the columns "
    "unless said. Example: --gamma 0.1",
)
@click.option("--degree", type=Real(), help="Of --metric polynomial, 3 unless said. Example: --degree 2")
@click.option(
    "--coef0",
    type=Real(),
    help="Of --metric polynomial and sigmoid: the constant, 1 unless said. Example: --coef0 0",
)
@click.option(
    "--nu", type=Real(), help="Of --metric matern: how smooth it is, 1.5 unless said. Example: --nu 2.5"
)
@each(MAKING)
@layout_option(("--layout",), "Layout of the half to write.", default="vech", show_default=True)
@threads_option
@force_option
def similarity(metric: str, **more: Any) -> None:
    """Write the similarities of the rows of a table, whose columns are numbers; - is stdin.

    Tables are those of vech distances, and so are files of .npy and .zarr: written as they are computed.

    \b
    Examples:
      vech similarity vectors.npy -o k.npy --gamma 0.1
      vech similarity vectors.npy -o k.zarr --metric cosine --executor dask://scheduler:8786
      vech similarity genes.csv -o k.npz --index gene --metric matern --nu 2.5
    """
    parameters = {name: more.pop(name) for name in ("gamma", "degree", "coef0", "nu")}
    _make(vech.pairwise.kernel, metric, f"{metric} kernel", parameters, **more)


def _make(
    function: Callable[..., Any],
    metric: str,
    what: str,
    parameters: dict[str, Any],
    *,
    file: Path,
    out: Path,
    dtype: str | None,
    resume: bool,
    executor: Workers | None,
    in_format: str | None,
    out_format: str | None,
    layout: str,
    threads: int | None,
    force: bool,
    **more: Any,
) -> None:
    """Compute what a function of two rows makes of a table, and write it."""
    how = how_to_read(more)
    given = {name: value for name, value in (parameters | {"dtype": dtype}).items() if value is not None}
    check_made(file, out, force=force, resume=resume)
    with target(out, out_format) as made, source(file, in_format) as path:
        vech.io.file_format(made)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            is_mixed = function is vech.pairwise.distances and metric.lower() == "gower"
            table = read(path, how, read_mixed) if is_mixed else read(path, how)
            rows = len(table)
            half = vech.as_layout(layout).length(rows) * (4 if dtype == "float32" else 8)
            given |= {"layout": layout, "threads": threads, "progress": bar}
            X = table.numbers if not is_mixed and table.index is None else table
            with started(executor) as workers:
                given["executor"] = workers
                bar.now(f"{what} of {rows:,} rows", half, "tiles")
                with naming(path):
                    if is_made_in_place(out):
                        store = made_in_place(function, made, X, metric, resume=resume, **given)
                    else:
                        store = function(X, metric, **given)
            if not is_made_in_place(out):
                bar.now(f"writing {made.name}", store.nbytes)
                vech.io.write(made, store, overwrite=force)
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)
