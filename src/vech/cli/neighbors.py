"""neighbors: from a matrix to the graph of who is near whom."""

import time
from pathlib import Path

import click

import vech
import vech.io
from vech.cli.executors import Workers, by_workers, executor_option, started
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
    threads_option,
)
from vech.cli.records import is_text, names_of, write_records
from vech.cli.root import vech_command
from vech.cli.streams import STREAM, in_format_option, out_format_option, shown, source, target
from vech.io.errors import visible


@vech_command.command(short_help="Write the graph of the nearest rows of a matrix.")
@file_argument
@out_option
@click.option(
    "-k", type=Count(min=1), help="How many of the nearest rows each row is joined to. Example: -k 10"
)
@click.option(
    "--within",
    "limit",
    type=Real(),
    help="All pairs that are at most so far apart, instead of -k; with --largest, at least so alike. "
    "Example: --within 0.3",
)
@click.option(
    "--largest", is_flag=True, help="Large numbers are near, as of similarities. Example: --largest"
)
@click.option(
    "--mutual", is_flag=True, help="Of -k: join two rows where each is near the other. Example: --mutual"
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@dtype_option
@n_option
@in_format_option
@out_format_option
@threads_option
@executor_option
@force_option
def neighbors(
    file: Path,
    out: Path,
    k: int | None,
    limit: float | None,
    largest: bool,
    mutual: bool,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    in_format: str | None,
    out_format: str | None,
    threads: int | None,
    executor: Workers | None,
    force: bool,
) -> None:
    """Write the graph of the nearest rows of the matrix in FILE, distances or similarities; - is stdin.

    A text (.csv, .tsv, .txt) has a line for each pair: its two rows, by their labels, and the number.
    Every other file is a sparse matrix with the numbers of FILE.

    \b
    Examples:
      vech neighbors d.npy -k 10 -o graph.npz
      vech neighbors similarities.npy -k 10 --largest --mutual -o edges.csv
      vech neighbors d.npy --within 0.3 -o graph.mtx
      vech neighbors d.zarr -k 10 -o graph.npz --executor local:2
    """
    if (k is None) == (limit is None):
        both = "say one of them, not both" if k is not None else "one of them is needed"
        raise click.ClickException(f"-k, so many of the nearest rows, or --within, all in reach: {both}")
    if mutual and k is None:
        raise click.ClickException("--mutual is for -k: in reach of each other are always both")
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        vech.io.file_format(made)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar, started(executor) as workers:
            store = by_workers(vech.read(path, layout=layout, kind=kind, dtype=dtype, n=n), workers, path)
            bar.now(f"nearest of {store.n:,} rows", store.nbytes, "rows")
            if k is None:
                assert limit is not None
                graph = _within(store, limit, largest)
            else:
                combine = "mutual" if mutual else "union"
                graph = vech.neighbors.graph(
                    store, k, largest=largest, combine=combine, threads=threads, progress=bar
                )
            bar.now(f"writing {made.name}", graph.nbytes)
            if is_text(made):
                _write_edges(made, graph, overwrite=force)
            else:
                vech.io.write(made, graph, overwrite=force)
        pairs = f"{store.n} rows, {graph.nnz} pairs, {in_bytes(size_of(made))}"
        line = visible(f"{shown(made)}: {pairs}, {time.perf_counter() - began:.2f} s")
    click.echo(line, err=out == STREAM)


def _within(store: vech.Store, limit: float, largest: bool) -> vech.SparseHalf:
    from scipy.sparse import triu

    upper = triu(vech.neighbors.within(store, limit, largest=largest), format="csr")
    arrays = upper.indptr, upper.indices, upper.data
    return vech.SparseHalf(*arrays, store.n, triangle="upper", labels=store.labels)


def _write_edges(out: Path, graph: vech.SparseHalf, *, overwrite: bool) -> None:
    i, j, values, _ = graph.to_pairs()
    names = names_of(graph.labels, graph.n)
    records = zip(i.tolist(), j.tolist(), values.astype(str).tolist(), strict=True)
    lines = ((names[a], names[b], value) for a, b, value in records)
    write_records(out, ("i", "j", "value"), lines, overwrite=overwrite)
