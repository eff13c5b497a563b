"""view: a matrix in the browser."""

from contextlib import suppress
from pathlib import Path

import click

import vech
from vech.cli.options import (
    Bar,
    Count,
    Real,
    dtype_option,
    file_argument,
    kind_option,
    layout_option,
    n_option,
    size_of,
)
from vech.cli.pictures import CONTENTS
from vech.cli.root import vech_command
from vech.io.errors import visible

MOST = 65_535  # ports
INTERRUPTED = 130  # as every command after Ctrl-C, which is how this one ends


@vech_command.command(short_help="Show the matrix in FILE in the browser.")
@file_argument
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Address of this machine to be reached by; nobody else can unless told. Example: --host 0.0.0.0",
)
@click.option(
    "--port",
    type=Count(min=0, max=MOST),
    default=0,
    help="Port of that address; a free one unless said. Example: --port 8080",
)
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing. Example: --no-browser")
@click.option(
    "--content",
    type=click.Choice(CONTENTS),
    help="What the numbers are, where it is not seen. Example: --content similarity",
)
@click.option(
    "--summary",
    type=click.Choice(["mean", "extreme"]),
    default="mean",
    help="What is first shown of many numbers: their mean or largest size. Example: --summary extreme",
)
@click.option(
    "--limits",
    nargs=2,
    type=Real(),
    metavar="LOW HIGH",
    help="What the ends of the colours mean at first. Example: --limits -1 1",
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@dtype_option
@n_option
def view(
    file: Path,
    host: str,
    port: int,
    no_browser: bool,
    content: str | None,
    summary: str,
    limits: tuple[float, float] | None,
    layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
) -> None:
    """Show the matrix in FILE in the browser, from the whole of it to single numbers, until Ctrl-C.

    \b
    Examples:
      vech view half.npy
      vech view S.zarr --port 8080 --no-browser
    """
    with Bar(f"reading {file.name}", size_of(file)):
        store = vech.read(file, layout=layout, kind=kind, dtype=dtype, n=n)
    page = vech.view(
        store,
        content=content,
        summary=summary,
        limits=limits,
        title=file.name,
        host=host,
        port=port,
        browser=False,
        wait=False,
    )
    with suppress(KeyboardInterrupt):  # before it waits
        click.echo(visible(f"{file}: {store.n} x {store.n} {store.dtype}, {store.kind}"))
        click.echo(f"{page.url} (Ctrl-C ends it)")
        if not no_browser:
            page.open()
        page.wait()
    page.close()
    raise SystemExit(INTERRUPTED)
