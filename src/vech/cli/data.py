"""plot, demo: pictures of a matrix, and of what vech does."""

from pathlib import Path

import click

import vech
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
from vech.cli.root import vech_command
from vech.io.drafts import atomic
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
    spectrum: bool,
    n_samples: int | None,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    force: bool,
) -> None:
    """Draw the matrix in FILE as a heatmap, or its spectrum; the matrix is not expanded for a heatmap.

    \b
    Examples:
      vech plot half.npy -o matrix.png --cluster
      vech plot half.npy -o spectrum.png --spectrum --n-samples 250
    """
    if cluster and spectrum:
        raise click.ClickException("--cluster orders a heatmap, and --spectrum draws none: say one of them")
    if n_samples is not None and not spectrum:
        raise click.ClickException("--n-samples is for --spectrum")
    check_new(out, force)
    with Bar(f"reading {file.name}", size_of(file)) as bar:
        store = vech.read(file, layout=layout, kind=kind, dtype=dtype, n=n)
        bar.now(f"drawing {store.n} x {store.n}", store.nbytes)
        _draw(store, out, spectrum, "cluster" if cluster else None, n_samples, force)
    click.echo(visible(f"{out}: {store.n} x {store.n}, {'its spectrum' if spectrum else 'a heatmap'}"))


def _draw(
    store: vech.Store, out: Path, spectrum: bool, order: str | None, n_samples: int | None, overwrite: bool
) -> None:
    """Draw without a window, and write the file whole or not at all."""
    from matplotlib.figure import Figure

    suffix = out.suffix.lower().lstrip(".")
    figure = Figure(figsize=(7.0, 4.0 if spectrum else 6.0))
    axes = figure.subplots()
    known = figure.canvas.get_supported_filetypes()
    if suffix not in known:
        raise ValueError(f"{out} has no suffix of a picture: choose from {', '.join('.' + k for k in known)}")
    if spectrum:
        vech.plot.spectrum(store, n_samples=n_samples, ax=axes)
    else:
        vech.plot.heatmap(store, order=order, ax=axes)
    with atomic(out, overwrite) as file:
        figure.savefig(file, format=suffix, dpi=150, bbox_inches="tight")


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
