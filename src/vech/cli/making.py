"""A half that is made of a table in the file where it is to be: --resume, and what Ctrl-C leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vech.cli.options import check_out
from vech.cli.root import Interrupted
from vech.cli.streams import STREAM
from vech.results.file import is_of_a_run
from vech.results.journal import journal_of
from vech.tiled.description import is_tiled
from vech.tiled.objects import draft_of

HALF, TILES = ".npy", ".zarr"
SUFFIXES = (HALF, TILES)

resume_option = click.option(
    "--resume",
    is_flag=True,
    help="Go on with a run that was interrupted or killed: the same command, and this. Example: --resume",
)


def is_made_in_place(out: Path, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    """Whether the numbers go where they are to be while they are computed."""
    return out != STREAM and out.suffix.lower() in suffixes


def check_made(
    file: Path, out: Path, *, force: bool, resume: bool, suffixes: tuple[str, ...] = SUFFIXES
) -> None:
    """Refuse to go on where nothing can, and to write over what no run has made."""
    if resume and not is_made_in_place(out, suffixes):
        raise click.ClickException(
            f"--resume goes on with a {' or '.join(suffixes)} file, and OUT is {out}: name one that ends so"
        )
    check_out(file, out, force or (resume and _is_of_a_run(out)))
    if not (force or resume) and is_made_in_place(out, suffixes) and _left(out) is not None:
        raise click.ClickException(
            f"{out} was begun by a run that ended: --resume goes on with it, --force starts over"
        )


def _is_of_a_run(out: Path) -> bool:
    return is_tiled(out) if out.suffix.lower() == TILES else is_of_a_run(out)


def made_in_place(function: Callable[..., Any], out: Path, *arguments: Any, **given: Any) -> Any:
    """Compute the half where it is to be; an interrupt says how to go on."""
    try:
        return function(*arguments, out=out, **given)
    except KeyboardInterrupt as stop:
        if (left := _left(out)) is None:
            raise
        raise Interrupted(f"interrupted; the same command with --resume goes on with {left}") from stop


def _left(out: Path) -> Path | None:
    """What a run that ended has left: OUT, or what was to take its place."""
    if out.suffix.lower() != TILES:
        return out if journal_of(out).exists() else None
    return next(filter(is_tiled, (Path(draft_of(str(out))), out)), None)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say the name of the file for X, which is in it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if not str(error).startswith("X "):
            raise
        raise click.ClickException(f"{path}{str(error)[1:]}") from error
