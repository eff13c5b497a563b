"""cluster: from distances to a tree, or to the cluster of each row."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

import vech
import vech.io
from vech.arrays import Array
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
from vech.cli.records import SUFFIXES, is_text, names_of, write_records
from vech.cli.root import vech_command
from vech.cli.streams import STREAM, FormatName, in_format_option, shown, source, target
from vech.io import suffix_of
from vech.io.drafts import atomic
from vech.io.errors import visible
from vech.io.text_rows import text_file

TREES = ("average", "single", "complete", "weighted", "ward", "centroid", "median")
TREE_FILES = (".npy", ".nwk", ".newick")
OPTIONS = {
    "k": (*TREES, "medoids"),
    "optimal_ordering": TREES,
    "eps": ("dbscan",),
    "min_samples": ("dbscan", "hdbscan"),
    "min_cluster_size": ("hdbscan",),
    "seed": ("medoids",),
}
"""The options of single methods."""


@vech_command.command(short_help="Write the tree of the rows of a matrix of distances, or their clusters.")
@file_argument
@out_option
@click.option(
    "--method",
    type=click.Choice([*TREES, "dbscan", "hdbscan", "medoids"]),
    default="average",
    show_default=True,
    help="How rows are put together. Example: --method ward",
)
@click.option(
    "--k", "-k", type=Count(min=1), help="How many clusters, of a tree and of medoids. Example: --k 8"
)
@click.option(
    "--optimal-ordering",
    is_flag=True,
    default=None,
    help="Of a tree: neighbouring leaves as close as can be, which takes time. Example: --optimal-ordering",
)
@click.option(
    "--eps", type=Real(), help="Of dbscan: how far neighbours are apart at most. Example: --eps 0.3"
)
@click.option(
    "--min-samples",
    type=Count(min=1),
    help="Of dbscan and hdbscan: rows that make a place dense, itself too. Example: --min-samples 5",
)
@click.option(
    "--min-cluster-size", type=Count(min=2), help="Of hdbscan; 5 unless said. Example: --min-cluster-size 20"
)
@click.option(
    "--seed", type=Count(min=0), help="Of medoids, where they begin; 0 unless said. Example: --seed 1"
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@dtype_option
@n_option
@in_format_option
@click.option(
    "--out-format",
    metavar="SUFFIX",
    type=FormatName(lambda: [*SUFFIXES, *TREE_FILES]),
    help="What to write to stdout, where OUT is -. Example: --out-format nwk",
)
@threads_option
@force_option
def cluster(
    file: Path,
    out: Path,
    method: str,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    in_format: str | None,
    out_format: str | None,
    threads: int | None,
    force: bool,
    **more: Any,
) -> None:
    """Write the tree of the rows of the matrix in FILE, or the cluster of each; - is stdin.

    FILE holds distances, such as vech distances makes. A tree is .nwk, Newick's text, or .npy, SciPy's
    table of links. Clusters are a text (.csv, .tsv, .txt) with a line for each row: its label and its
    cluster from 0, -1 where dbscan and hdbscan find none.

    \b
    Examples:
      vech cluster d.npy -o tree.nwk
      vech cluster d.npy -o clusters.csv --method ward --k 8
      vech cluster d.npy -o clusters.csv --method hdbscan --min-cluster-size 20
    """
    given = {name: value for name, value in more.items() if value is not None}
    for name in given:
        if method not in OPTIONS[name]:
            fits = ", ".join(OPTIONS[name])
            raise click.ClickException(f"--{name.replace('_', '-')} is for --method {fits}, not {method}")
    with (
        target(out, out_format, text=(*vech.io.TEXT, *TREE_FILES[1:])) as made,
        source(file, in_format) as path,
    ):
        make = _maker(made, method, given)
        check_out(file, out, force)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            store = vech.read(path, layout=layout, kind=kind, dtype=dtype, n=n)
            bar.now(f"{method} clusters of {store.n:,} rows", store.nbytes)
            said = make(store, overwrite=force, threads=threads, progress=bar)
        line = visible(
            f"{shown(made)}: {store.n} rows, {method}, {said}, {in_bytes(size_of(made))}, "
            f"{time.perf_counter() - began:.2f} s"
        )
    click.echo(line, err=out == STREAM)


def _maker(out: Path, method: str, given: dict[str, Any]) -> Callable[..., str]:
    """What makes the file and says what is in it, judged before anything is read."""
    if is_text(out):
        needed = {"dbscan": "eps", "hdbscan": None}.get(method, "k")
        if needed is not None and needed not in given:
            raise click.ClickException(
                f"--{needed} is missing, without which --method {method} has no clusters"
                + (f": say it, or a file {', '.join(TREE_FILES)} for the tree" if method in TREES else "")
            )
        return partial(_write_clusters, out, method, given)
    if suffix_of(out) not in TREE_FILES:
        raise click.ClickException(
            f"{out}: has no suffix of clusters, {', '.join(SUFFIXES)}, nor of a tree, {', '.join(TREE_FILES)}"
        )
    if method not in TREES:
        raise click.ClickException(
            f"{out}: --method {method} makes no tree: write clusters, {', '.join(SUFFIXES)}"
        )
    if "k" in given:
        raise click.ClickException(
            f"{out}: --k is for clusters, {', '.join(SUFFIXES)}: a tree has all numbers of them"
        )
    return partial(_write_tree, out, method, given)


def _links(store: vech.Store, method: str, how: dict[str, Any]) -> Array:
    if not store.n:
        raise click.ClickException("there are no rows, and a tree has at least one")
    return vech.cluster.linkage(store, method, **how)


def _write_tree(
    out: Path, method: str, given: dict[str, Any], store: vech.Store, *, overwrite: bool, **how: Any
) -> str:
    links = _links(store, method, given | how)
    if suffix_of(out) == ".npy":
        with atomic(out, overwrite) as file:
            np.save(file, links)
    else:
        tree = vech.cluster.to_newick(links, store.labels)
        with text_file(out, overwrite) as text:
            text.write(tree + "\n")
    return f"{len(links)} links"


def _write_clusters(
    out: Path, method: str, given: dict[str, Any], store: vech.Store, *, overwrite: bool, **how: Any
) -> str:
    names = names_of(store.labels, store.n)
    medoids: Array | None = None
    if method in TREES:
        count = given.pop("k")
        clusters = vech.cluster.cut(_links(store, method, given | how), count)
    elif method == "medoids":
        clusters, medoids, _ = vech.cluster.medoids(store, **given, **how)
    else:
        clusters = getattr(vech.cluster, method)(store, **given, **how).labels
    columns = {"row": names, "cluster": clusters.tolist()}
    if medoids is not None:
        columns["medoid"] = [names[row] for row in medoids[clusters]]
    write_records(out, tuple(columns), zip(*columns.values(), strict=True), overwrite=overwrite)
    noise = int(np.count_nonzero(clusters < 0))
    found = len(set(clusters.tolist()) - {-1})
    return f"{found} cluster{'s' * (found != 1)}" + f", {noise} row{'s' * (noise != 1)} in none" * (noise > 0)
