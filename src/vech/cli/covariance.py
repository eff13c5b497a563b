"""covariance: from a table to a half."""

import time
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import click
import numpy as np

import vech
import vech.io
from vech import covariance as estimate
from vech.arrays import Array
from vech.cli.executors import Workers, executor_option, started
from vech.cli.making import TILES, check_made, is_made_in_place, made_in_place, resume_option
from vech.cli.options import (
    Bar,
    Count,
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
from vech.cli.root import FAULTS, message_of, vech_command
from vech.cli.streams import STREAM, out_format_option, source, table_format_option, target
from vech.cli.tables import how_to_read, read, table_options
from vech.io.tables import SUFFIXES, Table, read_table

METHODS: dict[str, Callable[..., vech.Packed]] = {
    "sample": estimate.sample,
    "correlation": estimate.correlation,
    "spearman": estimate.spearman,
    "kendall": estimate.kendall,
    "gerber": estimate.gerber,
    "quadrant": estimate.quadrant,
    "jaccard": estimate.jaccard,
    "hamming": estimate.hamming,
    "matching": estimate.matching,
    "ledoit-wolf": estimate.ledoit_wolf,
    "oas": estimate.oas,
    "nonlinear": estimate.nonlinear,
}


class Method(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2
    """The name of an estimator, with dashes or as the function has it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Write dashes for underscores."""
        return super().convert(value.replace("_", "-"), param, ctx)


CORRELATIONS = ("correlation", "spearman", "kendall", "quadrant")

REPAIRED = ("sample", *CORRELATIONS)
"""What vech.linalg mends, since the function does not do so itself."""

ESTIMATE = (
    click.option(
        "--missing",
        type=click.Choice(["raise", "neutral", "pairwise"]),
        help="What an empty cell or NaN means; an error unless said. Example: --missing pairwise",
    ),
    click.option(
        "--min-periods",
        type=Count(min=1),
        help="Of --missing pairwise: NaN for pairs with fewer rows in common. Example: --min-periods 20",
    ),
    click.option(
        "--ddof",
        type=Real(),
        help="Taken off the number of rows in the divisor, 1 unless said. Example: --ddof 0",
    ),
    click.option(
        "--assume-centered",
        is_flag=True,
        default=None,
        help="The means are zero, whatever the rows say. Example: --assume-centered",
    ),
    click.option(
        "--correlation",
        is_flag=True,
        default=None,
        help="Of --method gerber and --denoise: ones on the diagonal, no variances. Example: --correlation",
    ),
    click.option(
        "--threshold",
        type=Real(),
        help="Of --method gerber, in standard deviations; 0.5 unless said. Example: --threshold 0.7",
    ),
    click.option(
        "--form",
        type=click.Choice(["gs0", "gs1", "gs2"]),
        help="Of --method gerber: the denominator; gs1 unless said. Example: --form gs2",
    ),
    click.option(
        "--center",
        type=click.Choice(["zero", "mean", "median"]),
        help="Of --method gerber: from where moves are measured; zero unless said. Example: --center median",
    ),
    click.option(
        "--variant",
        type=click.Choice(["a", "b"]),
        help="Of --method kendall: b, which counts ties, unless said. Example: --variant a",
    ),
    click.option(
        "--target",
        type=click.Choice(["identity", "constant-correlation"]),
        help="Of --method ledoit-wolf: towards what; identity unless said. "
        "Example: --target constant-correlation",
    ),
)


@vech_command.command(short_help="Write the covariance of the columns of a table.")
@file_argument
@out_option
@click.option(
    "--method",
    type=Method(list(METHODS)),
    default="sample",
    show_default=True,
    help="How to estimate it. Example: --method gerber",
)
@click.option(
    "--denoise",
    is_flag=True,
    help="Level the eigenvalues that noise alone has (Marchenko-Pastur), of --method sample. "
    "Example: --denoise",
)
@each(ESTIMATE)
@click.option(
    "--weights",
    metavar="FILE|COLUMN",
    help="How much each row counts: a table or .npy of one number a row, or a column. "
    "Example: --weights w.csv",
)
@click.option(
    "--half-life",
    type=Real(),
    help="Count a row half as much so many rows before the last; times --weights. Example: --half-life 60",
)
@click.option(
    "--repair",
    type=click.Choice(["nearest", "shrink"]),
    help="Make it positive semidefinite: the nearest such matrix, or shrunk until it is. "
    "Example: --repair nearest",
)
@resume_option
@executor_option
@table_options
@table_format_option
@out_format_option
@layout_option(("--layout",), "Layout of the half to write.", default="vech", show_default=True)
@threads_option
@force_option
def covariance(
    file: Path,
    out: Path,
    method: str,
    denoise: bool,
    weights: str | None,
    half_life: float | None,
    repair: str | None,
    resume: bool,
    executor: Workers | None,
    in_format: str | None,
    out_format: str | None,
    layout: str,
    threads: int | None,
    force: bool,
    **more: Any,
) -> None:
    """Write the covariance of the columns of a table, whose rows are observations; - is stdin.

    A table is text (.csv, .tsv, .txt, also .gz), .parquet, .feather, Excel or a 2-D .npy. Tiles of a .zarr
    are written as they are computed, unless --repair needs the whole matrix.

    \b
    Examples:
      vech covariance returns.csv -o half.npy --index date
      vech covariance returns.parquet -o half.npy --method gerber --threshold 0.7
      vech covariance prices.csv -o half.npz --sep ';' --decimal , --missing pairwise --repair nearest
      vech covariance - --in-format csv -o - --out-format csv --half-life 60 < returns.csv
    """
    how = how_to_read(more)
    given = {name: value for name, value in more.items() if value is not None}
    function = _function(method, denoise)
    if given.get("missing") == "raise":
        del given["missing"]
    if weights is not None or half_life is not None:
        _check_taken("weights", "--half-life" if weights is None else "--weights", function, method, denoise)
    for name in given:
        _check_taken(name, f"--{name.replace('_', '-')}", function, method, denoise)
    mend = _repair(repair, function, method, denoise)
    if repair is not None and mend is None:
        given["repair"] = repair
    in_place = repair is None and is_made_in_place(out, (TILES,))
    if resume and repair is not None:
        raise click.ClickException("--resume goes on with tiles that are there, and --repair needs them all")
    check_made(file, out, force=force, resume=resume, suffixes=(TILES,))
    if in_place:
        _check_taken("out", f"a {TILES}", function, method, denoise)
    if executor is not None:
        _check_taken("executor", "--executor", function, method, denoise)
    with target(out, out_format) as made, source(file, in_format) as path:
        vech.io.file_format(made)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar, started(executor) as workers:
            table = read(path, how)
            counts, table = (None, table) if weights is None else _weights(weights, table, path)
            if half_life is not None:
                fading = estimate.exponential_weights(len(table), half_life)
                counts = fading if counts is None else fading * counts
            if counts is not None:
                given["weights"] = counts
            bar.now(f"{method} of {table.shape[1]} columns", table.numbers.nbytes)
            try:
                X = table.numbers if table.labels is None else table
                given |= {"layout": layout, "threads": threads, "progress": bar}
                if workers is not None:
                    given["executor"] = workers
                if in_place:
                    store = made_in_place(function, made, X, resume=resume, **given)
                else:
                    store = function(X, **given)
                if mend is not None:
                    bar.now(f"repairing {store.n} x {store.n}", store.nbytes)
                    store = mend(store).matrix.to_packed(layout)
            except FAULTS as error:
                raise click.ClickException(f"{path}: {message_of(error)}") from error
            if not in_place:
                bar.now(f"writing {made.name}", store.nbytes)
                vech.io.write(made, store, overwrite=force)
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)


def _function(method: str, denoise: bool) -> Callable[..., vech.Packed]:
    if denoise and method != "sample":
        raise click.ClickException(f"--denoise is for --method sample, not {method}")
    return estimate.denoise if denoise else METHODS[method]


def _check_taken(name: str, option: str, function: Callable[..., Any], method: str, denoise: bool) -> None:
    """Refuse an option that this estimator does not take, and say which do."""
    if name in signature(function).parameters:
        return
    taking = [other for other, each in METHODS.items() if name in signature(each).parameters]
    fits = f"--method {', '.join(taking)}" if taking else "--denoise"
    raise click.ClickException(f"{option} is for {fits}, not {'--denoise' if denoise else method}")


def _repair(
    repair: str | None, function: Callable[..., Any], method: str, denoise: bool
) -> Callable[..., Any] | None:
    """What mends the estimate afterwards; None where nothing does, or the estimator itself."""
    if repair is None or "repair" in signature(function).parameters:
        return None
    if denoise or method not in REPAIRED:
        raise click.ClickException(
            f"--repair is for --method gerber, {', '.join(REPAIRED)}, "
            f"not {'--denoise' if denoise else method}"
        )
    if repair == "shrink":
        return vech.linalg.shrink_to_psd
    return vech.linalg.nearest_correlation if method in CORRELATIONS else vech.linalg.nearest_psd


def _weights(said: str, table: Table, path: Path) -> tuple[Array, Table]:
    """Weights out of a file, by its suffix, or else of a column, which is no data then."""
    if said.lower().endswith(SUFFIXES):
        return _weights_in(Path(said), table), table
    if table.labels is None or said not in table.labels:
        names = "names no columns" if table.labels is None else f"has no column {said!r}"
        raise click.ClickException(
            f"{path}: {names}: --weights is one of them, or a file {', '.join(SUFFIXES)}"
        )
    at = table.labels.index(said)
    others = [k for k in range(table.shape[1]) if k != at]
    return table.numbers[:, at], Table(
        table.numbers[:, others], [table.labels[k] for k in others], table.index
    )


def _weights_in(path: Path, table: Table) -> Array:
    """One column of numbers, by the labels of rows where both have some."""
    if path.suffix.lower() == ".npy":
        found = vech.io.load(path)
        if not isinstance(found, np.ndarray) or found.ndim != 1:
            raise click.ClickException(f"{path}: --weights are one number for each row, in one dimension")
        return found
    weights = read_table(path)
    if weights.shape[1] != 1:
        raise click.ClickException(
            f"{path}: has {weights.shape[1]} columns of numbers, and --weights are one"
        )
    if None not in (weights.index, table.index) and weights.index != table.index:
        raise click.ClickException(
            f"{path}: labels its rows otherwise than the table does: give both one order"
        )
    return weights.numbers[:, 0]
