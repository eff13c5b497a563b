"""`-` on the command line: stdin and stdout as files, with the suffix that says what they hold."""

import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from click.shell_completion import CompletionItem

import vech.io
from vech.cli.root import SHOWN
from vech.io.tables import SUFFIXES as TABLES

STREAM = Path("-")


class FormatName(click.types.StringParamType):
    """The suffix of a file format; its dot may be left out."""

    name = "format"

    def __init__(self, suffixes: Callable[[], list[str]]) -> None:
        self.suffixes = suffixes

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the suffix, with its dot."""
        known, suffix = self.suffixes(), f".{value.lower().removeprefix('.')}"
        if suffix in known:
            return suffix
        self.fail(f"{value!r} is none of {', '.join(suffix.lstrip('.') for suffix in known)}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Suffixes, without their dot unless it was typed."""
        names = self.suffixes() if incomplete.startswith(".") else [name[1:] for name in self.suffixes()]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


IN_HELP = "Of FILE where it is - or its suffix does not say it. Example: --in-format csv"
in_format_option = click.option(
    "--in-format", metavar="SUFFIX", type=FormatName(lambda: list(vech.io.FORMATS)), help=IN_HELP
)
table_format_option = click.option(
    "--in-format", metavar="SUFFIX", type=FormatName(lambda: list(TABLES)), help=IN_HELP
)
out_format_option = click.option(
    "--out-format",
    metavar="SUFFIX",
    type=FormatName(lambda: list(vech.io.FORMATS)),
    help="What to write to stdout, where OUT is -. Example: --out-format csv",
)


@contextmanager
def source(file: Path, form: str | None) -> Iterator[Path]:
    """The file to read, under a name with a suffix: stdin as a temporary file, another by a link to it."""
    if file == STREAM and form is None:
        raise click.ClickException(
            "stdin has no suffix: say what it is by --in-format, such as --in-format csv"
        )
    if form is None or file.name.lower().endswith(form):
        yield file
        return
    shown = "stdin" if file == STREAM else str(file)
    with _folder() as folder:
        path = folder / f"{Path(shown).name}{form}"
        _show(path, shown)
        if file == STREAM:
            if sys.stdin is None:
                raise click.ClickException("stdin is closed")
            with path.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
        else:
            file.stat()
            path.symlink_to(file.absolute())
        yield path


@contextmanager
def target(out: Path, form: str | None, *, text: Collection[str] | None = None) -> Iterator[Path]:
    """The file to write: itself, or a temporary one that goes to stdout when it is complete.

    A terminal gets suffixes of `text` alone, by default those of matrices.
    """
    if out != STREAM:
        if form is not None:
            raise click.ClickException(
                f"--out-format is for -o -, stdout: the suffix of {out} says what it is"
            )
        yield out
        return
    if form is None:
        raise click.ClickException(
            "stdout has no suffix: say what to write by --out-format, such as --out-format csv"
        )
    if sys.stdout is None:
        raise click.ClickException("stdout is closed")
    stdout = sys.stdout.buffer
    if stdout.isatty() and form not in (vech.io.TEXT if text is None else text):
        raise click.ClickException(f"{form} is no text for a terminal: say -o FILE, or redirect stdout")
    with _folder() as folder:
        path = folder / f"stdout{form}"
        _show(path, "stdout")
        yield path
        if not path.is_file() or len(os.listdir(folder)) > 1:
            raise click.ClickException(
                f"this {form} is more than one file, and stdout is one: "
                "say --out-format npz, which has it all in one, or -o FILE"
            )
        with path.open("rb") as made:
            shutil.copyfileobj(made, stdout, 1 << 20)
        stdout.flush()


def shown(path: Path) -> str:
    """What users call a file."""
    return _shown().get(str(path), str(path))


def _shown() -> dict[str, str]:
    context = click.get_current_context(silent=True)
    names: dict[str, str] = {} if context is None else context.meta.setdefault(SHOWN, {})
    return names


def _show(path: Path, name: str) -> None:
    _shown()[str(path)] = name


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="vech-") as folder:
        yield Path(folder)
