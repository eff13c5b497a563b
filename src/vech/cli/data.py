"""plot, demo: pictures of a matrix, and of what vech does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

import vech
import vech.io
from vech.cli.groups import read_groups
from vech.cli.options import (
    Bar,
    Count,
    OutFile,
    check_new,
    dtype_option,
    file_argument,
    force_option,
    kind_option,
    layout_option,
    n_option,
    size_of,
    threads_option,
)
from vech.cli.pictures import CONTENTS, save
from vech.cli.root import vech_command
from vech.io.errors import visible


@vech_command.command(short_help="Draw the matrix in FILE, or its spectrum.")
@file_argument
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=OutFile(path_type=Path),
    help="Picture to write: .png, .svg, .pdf. Example: -o matrix.png",
)
@click.option(
    "--cluster", is_flag=True, help="Put alike rows together, with their dendrogram. Example: --cluster"
)
@click.option(
    "--distance",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Distances for --cluster; a half without a description is condensed. Example: --distance d.npy",
)
@click.option(
    "--group",
    metavar="FILE[/COLUMN]",
    help="Table with the group of each row, by its label or in order. Example: --group assets.csv/sector",
)
@click.option(
    "--content",
    type=click.Choice(CONTENTS),
    help="What the numbers are, where it is not seen. Example: --content similarity",
)
@click.option(
    "--triangle", type=click.Choice(["lower", "upper"]), help="Draw this one alone. Example: --triangle lower"
)
@click.option("--title", metavar="TEXT", help="To write above. Example: --title 'Returns, 2024'")
@click.option("--spectrum", is_flag=True, help="Draw the eigenvalues instead. Example: --spectrum")
@click.option(
    "--n-samples",
    type=Count(min=1),
    help="Rows of the data, to draw with --spectrum what noise alone gives. Example: --n-samples 250",
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@dtype_option
@n_option
@force_option
def plot(
    file: Path,
    out: Path,
    cluster: bool,
    distance: Path | None,
    group: str | None,
    content: str | None,
    triangle: str | None,
    title: str | None,
    spectrum: bool,
    n_samples: int | None,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    force: bool,
) -> None:
    """Draw the matrix in FILE as a heatmap, or its spectrum; the matrix is not expanded for a heatmap.

    Of what vech quantize wrote the error of each tile is drawn, unless an option is for a heatmap.

    \b
    Examples:
      vech plot half.npy -o matrix.png --cluster --group assets.csv/sector
      vech plot half.npy -o spectrum.png --spectrum --n-samples 250
      vech plot q.npz -o error.png
      vech plot q.npz -o matrix.png --content correlation
    """
    if cluster and spectrum:
        raise click.ClickException("--cluster orders a heatmap, and --spectrum draws none: say one of them")
    if n_samples is not None and not spectrum:
        raise click.ClickException("--n-samples is for --spectrum")
    if distance is not None and not cluster:
        raise click.ClickException("--distance is what to --cluster by: say both")
    of_heatmap = {"--group": group, "--content": content, "--triangle": triangle}
    for option in (name for name, value in of_heatmap.items() if spectrum and value is not None):
        raise click.ClickException(f"{option} is for a heatmap, and --spectrum draws none")
    check_new(out, force)
    with Bar(f"reading {file.name}", size_of(file)) as bar:
        store = vech.read(file, layout=layout, kind=kind, dtype=dtype, n=n)
        bar.now(f"drawing {store.n} x {store.n}", store.nbytes)
        draw: Callable[..., Any]
        what = "its spectrum" if spectrum else "a heatmap"
        of_numbers = spectrum or cluster or any(of_heatmap.values())
        if not of_numbers and getattr(store, "error", None) is not None:
            what = "the error of its tiles"
            draw = partial(vech.plot.certificate, store, title=title)
        elif spectrum:
            draw = partial(vech.plot.spectrum, store, n_samples=n_samples, title=title, progress=bar)
        else:
            draw = partial(
                vech.plot.heatmap,
                store,
                order="cluster" if cluster else None,
                distance=None if distance is None else _distances(distance),
                groups=None if group is None else read_groups(group, store.labels, store.n),
                content=content,
                triangle=triangle,
                title=title,
            )
        save(out, (7.0, 4.0 if spectrum else 6.0), draw, overwrite=force)
    click.echo(visible(f"{out}: {store.n} x {store.n}, {what}"))


def _distances(path: Path) -> vech.Store:
    """The distances in a file, of which a half without a description is SciPy's."""
    content = vech.io.load(path)
    is_bare = not isinstance(content, vech.Store) and content.ndim == 1
    return vech.read(path, layout="condensed" if is_bare else None)


@vech_command.command(short_help="Show it all on 1797 handwritten digits.")
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    type=OutFile(path_type=Path),
    help="Picture to write; vech-demo.png, overwritten, unless said. Example: -o digits.png",
)
@threads_option
@force_option
def demo(out: Path | None, threads: int | None, force: bool) -> None:
    """Run it on real data: the similarity of 1797 handwritten digits, as half, full, CSR and CSC.

    \b
    Examples:
      vech demo
      vech demo -o digits.png --threads 1
    """
    from vech.demo import run

    if out is not None:
        check_new(out, force)
    run(out or Path("vech-demo.png"), overwrite=force or out is None, threads=threads)
