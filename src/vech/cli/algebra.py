"""eigsh, cholesky: eigenvalues and factors of the matrix in a file."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

import vech
import vech.io
import vech.tiled
from vech.arrays import Array
from vech.cli.executors import Workers, by_workers, check_tiles, executor_option, started
from vech.cli.making import TILES, check_made, made_in_place, resume_option
from vech.cli.options import (
    Bar,
    Count,
    Real,
    check_out,
    dtype_option,
    file_argument,
    force_option,
    in_bytes,
    kind_option,
    layout_option,
    n_option,
    out_option,
    size_of,
)
from vech.cli.records import SUFFIXES, is_text, names_of, write_records
from vech.cli.root import vech_command
from vech.cli.streams import STREAM, FormatName, in_format_option, shown, source, target
from vech.io import suffix_of
from vech.io.drafts import atomic
from vech.io.errors import visible

ARRAYS = ".npz"
FIRST = "eigenvalue"
"""What the line of a text is called that has the eigenvalues; those of the rows follow."""


@vech_command.command(short_help="Write some eigenvalues and eigenvectors of the matrix in FILE.")
@file_argument
@out_option
@click.option("-k", type=Count(min=1), default=6, show_default=True, help="How many. Example: -k 10")
@click.option(
    "--which",
    type=click.Choice(["LM", "SM", "LA", "SA", "BE"]),
    default="LM",
    show_default=True,
    help="Largest or smallest by magnitude (M) or as they are (A), or both ends. Example: --which LA",
)
@click.option(
    "--sigma",
    type=Real(),
    help="Those nearest to a number, by a factor of the matrix in memory. Example: --sigma 0",
)
@click.option("--tol", type=Real(), help="The relative residual that will do. Example: --tol 1e-6")
@executor_option
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@dtype_option
@n_option
@in_format_option
@click.option(
    "--out-format",
    metavar="SUFFIX",
    type=FormatName(lambda: [*SUFFIXES, ARRAYS]),
    help="What to write to stdout, where OUT is -. Example: --out-format csv",
)
@force_option
def eigsh(
    file: Path,
    out: Path,
    k: int,
    which: str,
    sigma: float | None,
    tol: float | None,
    executor: Workers | None,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    in_format: str | None,
    out_format: str | None,
    force: bool,
) -> None:
    """Write some eigenvalues and eigenvectors of the matrix in FILE, ascending; - is stdin.

    .npz has the arrays eigenvalues (k) and eigenvectors (n, k), and labels where there are some. A text
    (.csv, .tsv, .txt) has a column for each: the line "eigenvalue" first, then one for each row.

    \b
    Examples:
      vech eigsh half.npy -k 5 -o top.npz
      vech eigsh S.zarr -k 5 --which LA -o top.csv --executor local:2
    """
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        if not is_text(made) and suffix_of(made) != ARRAYS:
            raise click.ClickException(
                f"{made}: has no suffix of eigenvectors, which are {ARRAYS}, or text: {', '.join(SUFFIXES)}"
            )
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar, started(executor) as workers:
            store = by_workers(vech.read(path, layout=layout, kind=kind, dtype=dtype, n=n), workers, path)
            bar.now(f"{k} eigenvalues of {store.n:,} rows", size_of(path))
            values, vectors = vech.linalg.eigsh(store, k, which, sigma=sigma, tol=tol or 0.0)
            _write(made, values, vectors, store.labels, overwrite=force)
        line = visible(
            f"{shown(made)}: {len(values)} eigenvalues of {store.n} rows from {values[0]:.6g} to "
            f"{values[-1]:.6g}, {in_bytes(size_of(made))}, {time.perf_counter() - began:.2f} s"
        )
    click.echo(line, err=out == STREAM)


def _write(
    out: Path, values: Array, vectors: Array, labels: tuple[Any, ...] | None, *, overwrite: bool
) -> None:
    if is_text(out):
        if np.iscomplexobj(vectors):
            raise click.ClickException(f"{out}: cells of a table hold real numbers: write {ARRAYS}")
        head = ("row", *(str(column + 1) for column in range(len(values))))
        write_records(out, head, _lines(values, vectors, labels), overwrite=overwrite)
        return
    arrays = {"eigenvalues": values, "eigenvectors": vectors}
    if labels is not None:
        arrays["labels"] = np.array(names_of(labels, len(labels)))
    with atomic(out, overwrite) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _lines(values: Array, vectors: Array, labels: tuple[Any, ...] | None) -> Iterator[list[str]]:
    yield [FIRST, *values.astype(str)]
    for name, row in zip(names_of(labels, len(vectors)), vectors, strict=True):
        yield [name, *row.astype(str)]


@vech_command.command(short_help="Write the Cholesky factor of a store of tiles, as another one.")
@file_argument
@out_option
@resume_option
@executor_option
@force_option
def cholesky(file: Path, out: Path, resume: bool, executor: Workers | None, force: bool) -> None:
    """Write the Cholesky factor of the store of tiles in FILE, which must be positive definite.

    OUT is a store of tiles too; vech.tiled.open and then solve and logdet use it. In memory there are some
    tiles for each worker, whatever n is.

    \b
    Examples:
      vech cholesky S.zarr -o L.zarr
      vech cholesky S.zarr -o L.zarr --resume
      vech cholesky S.zarr -o L.zarr --executor dask://scheduler:8786
    """
    check_tiles(file, "a factor is made tile by tile")
    if out == STREAM or out.suffix.lower() != TILES:
        raise click.ClickException(f"a factor of tiles is a folder ending in {TILES}, and OUT is {out}")
    check_made(file, out, force=force, resume=resume, suffixes=(TILES,))
    began = time.perf_counter()
    with Bar(f"reading {file.name}", size_of(file)) as bar, started(executor) as workers:
        bar.now(f"factoring {file.name}", size_of(file), "tiles")
        given = {"resume": resume, "executor": workers, "progress": bar}
        factor = made_in_place(vech.linalg.cholesky, out, vech.tiled.open(file), **given)
    size = in_bytes(size_of(out))
    seconds = time.perf_counter() - began
    click.echo(visible(f"{shown(out)}: factor of {factor.n} rows, {size}, {seconds:.2f} s"))
