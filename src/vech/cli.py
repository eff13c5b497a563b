"""The command `vech`: parses arguments, calls one public function, prints."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer
from typing import Any, Self

import click
import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

import vech
import vech.io
from vech.dialects import CANONICAL
from vech.identify import Candidates
from vech.io.info import Info, summarize
from vech.io.npy import description_path
from vech.pictures import LEGEND, conversions, picture, sides, twin, users, words

LASTS = 1.0
"""Seconds after which work gets a progress bar."""

KINDS = ("symmetric", "hermitian", "skew", "skew-hermitian")


class OutFile(click.Path):
    """The name of a file to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what can be no file, whatever its suffix."""
        if not value:
            self.fail("'' names no file: say which one to write", param, ctx)
        path: Any = super().convert(value, param, ctx)
        if path.is_dir():
            self.fail(f"'{value}' is a directory: name a file in it", param, ctx)
        return path


file_argument = click.argument("file", type=click.Path(path_type=Path))
out_option = click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=OutFile(path_type=Path),
    help="File to write; its suffix says what it is. Example: -o full.npy",
)
kind_option = click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What (j, i) is, given (i, j); complex numbers need it. Example: --kind hermitian",
)
dtype_option = click.option(
    "--dtype", metavar="DTYPE", help="Numbers of a raw .bin, with their byte order. Example: --dtype '<f8'"
)
n_option = click.option(
    "--n", type=click.IntRange(min=0), help="Side of the matrix in a raw .bin. Example: --n 4000"
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to use; all there are unless said. Example: --threads 4",
)
force_option = click.option("--force", is_flag=True, help="Overwrite OUT if it exists. Example: --force")


def layout_option(flags: tuple[str, ...], text: str, **more: Any) -> Callable[[Any], Any]:
    """Make an option that takes the name of a layout."""
    return click.option(
        *flags,
        metavar="NAME",
        help=f"{text} {', '.join(list(vech.DIALECTS)[:5])}, ...: vech dialects lists all. "
        f"Example: {flags[0]} numpy-tril",
        **more,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit: 0, or 2 with at most three lines on stderr, or 130 after Ctrl-C."""
    try:
        code = vech_command.main(arguments, prog_name="vech", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted; nothing was written")
        code = 130
    except click.ClickException as error:
        _complain(error.format_message())
        code = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 2
    except OSError as error:
        _complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        code = 2
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, ImportError) as error:
        _complain(str(error) or type(error).__name__)
        code = 2
    sys.exit(code or 0)


def _complain(message: str) -> None:
    lines = [line for line in message.splitlines() if line.strip()]
    print("vech: " + "\n".join(lines[:3]), file=sys.stderr)


@click.group(
    name="vech", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(vech.__version__, prog_name="vech", message="%(prog)s %(version)s")
@click.pass_context
def vech_command(context: click.Context) -> None:
    """Turn half-vectorized symmetric matrices into full ones, CSR or CSC, and back.

    Files are .npy, .npz, .mtx, and raw .bin. Start with: vech info FILE
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@vech_command.command(short_help="Say what FILE holds or could hold.")
@file_argument
@dtype_option
@n_option
def info(file: Path, dtype: str | None, n: int | None) -> None:
    """Say what FILE holds or could hold, and what it takes as half, full and CSR.

    \b
    Examples:
      vech info half.npy
      vech info numbers.bin --dtype '>f4'
    """
    content = vech.io.load(file, dtype=dtype, n=n)
    bare = getattr(content, "ndim", 0) == 1
    fitting = vech.io.could_be(len(content), content.dtype) if bare else []
    found = summarize(content, [case for case in fitting if n in (None, case[2])])
    _print_info(file, found, n)


def _entries(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[Any, Any]:
    """Make of each I,J=VALUE an entry (i, j): value."""
    known: dict[Any, Any] = {}
    for value in values:
        pair, _, text = value.partition("=")
        try:
            i, j = map(int, pair.split(","))
            number = complex(text)
        except ValueError:
            raise click.BadParameter(
                f"{value!r} is not I,J=VALUE, such as 0,1=0.25", param=parameter
            ) from None
        known[i, j] = int(text) if text.strip("+-").isdecimal() else number if number.imag else number.real
    return known


@vech_command.command(short_help="Say which layouts the half in FILE can have, and why.")
@file_argument
@click.option("--n", type=click.IntRange(min=0), help="Side of the matrix. Example: --n 4000")
@click.option(
    "--matrix",
    metavar="FULL",
    type=click.Path(path_type=Path),
    help="File of the matrix that it should be the half of. Example: --matrix full.npy",
)
@click.option("--psd", is_flag=True, help="The matrix is positive semidefinite. Example: --psd")
@click.option(
    "--unit-diagonal", is_flag=True, help="The diagonal of the matrix is all one. Example: --unit-diagonal"
)
@click.option(
    "--entry",
    "entries",
    metavar="I,J=VALUE",
    multiple=True,
    callback=_entries,
    help="A number of the matrix, rows and columns from 0; as often as you like. Example: --entry 0,1=0.25",
)
@dtype_option
def identify(
    file: Path,
    n: int | None,
    matrix: Path | None,
    psd: bool,
    unit_diagonal: bool,
    entries: dict[Any, Any],
    dtype: str | None,
) -> None:
    """Say which layouts the half in FILE can have, best first, and why; never more than is known.

    A wrong order gives a matrix of the right size and the wrong numbers, and no error. The full matrix settles
    it, or nearly; a few entries, --psd or --unit-diagonal rule out most.

    \b
    Examples:
      vech identify half.npy
      vech identify half.npy --matrix full.npy
      vech identify half.bin --dtype '<f8' --n 40 --psd --entry 0,1=0.25
    """
    facts = {"positive semidefinite": psd, "unit diagonal": unit_diagonal}
    known = entries | {fact: True for fact, holds in facts.items() if holds}
    with Bar(f"reading {file.name}", _size(file)) as bar:
        half = vech.io.load(file, dtype=dtype)
        said = half.layout.name if isinstance(half, vech.Packed) else None
        half = getattr(half, "half", half)
        if getattr(half, "ndim", 2) != 1:
            raise click.ClickException(f"{file} holds a matrix and no half: vech pack {file} makes one")
        full = None if matrix is None else _full(matrix, dtype)
        bar.now(f"identifying {file.name}", half.nbytes)
        found = vech.identify(half, n=n, matrix=full, known=known)
    if not found:
        raise click.ClickException(found.summary)
    _print_found(found, said)


def _full(path: Path, dtype: str | None) -> Any:
    """Load the full matrix in a file, or expand the half."""
    raw = path.suffix.lower() == ".bin"
    content = vech.io.load(path, dtype=dtype if raw else None)
    if isinstance(content, vech.Store):
        return content.expand()
    if content.ndim == 2:
        return content if isinstance(content, np.ndarray) else content.toarray()
    side = math.isqrt(content.size)
    if raw and side * side == content.size:
        return content.reshape(side, side)
    raise click.ClickException(f"{path} holds {content.size:,} numbers in a row: --matrix is a full matrix")


@vech_command.command(short_help="List all layouts, or show one.")
@click.argument("name", required=False)
def dialects(name: str | None) -> None:
    """List all layouts and who has them, or show the one of that NAME and how to convert it.

    \b
    Examples:
      vech dialects
      vech dialects clarabel-psd
    """
    if name is None:
        _print_layouts()
    else:
        _print_layout(name)


@vech_command.command()
@file_argument
@out_option
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@click.option(
    "--to",
    type=click.Choice(["dense", "csr", "csc", "auto"]),
    help="What to write. Unless said, what the suffix of OUT says: .npy and .bin dense, .npz and .mtx CSR. "
    "auto: dense or CSR, whichever is smaller; OUT without a suffix gets the right one. Example: --to csc",
)
@dtype_option
@n_option
@threads_option
@force_option
def expand(
    file: Path,
    out: Path,
    layout: str | None,
    kind: str | None,
    to: str | None,
    dtype: str | None,
    n: int | None,
    threads: int | None,
    force: bool,
) -> None:
    """Write the full matrix of the half in FILE. It may be larger than memory.

    \b
    Examples:
      vech expand half.npy -o full.npy --layout numpy-tril
      vech expand half.npy -o matrix.npz --to csc
      vech expand numbers.bin -o full.npy --dtype '<f8' --layout condensed
      vech expand half.npy -o full --to auto
    """
    if to != "auto":
        vech.io.expands_to(out, to)
        _check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"reading {file.name}", _size(file)) as bar:
        store = vech.io.read(file, layout=layout, kind=kind, dtype=dtype, n=n)
        if to == "auto":
            to = "csr" if summarize(store, []).cases[0].best == "csr" else "dense"
            out = out if out.suffix else out.with_name(out.name + {"csr": ".npz", "dense": ".npy"}[to])
            vech.io.expands_to(out, to)
            _check_out(file, out, force)
        bar.now(f"expanding {file.name}", store.nbytes)
        vech.io.expand(out, store, to=to, threads=threads, progress=bar)
    _done(out, store, began)


@vech_command.command()
@file_argument
@out_option
@layout_option(("--layout",), "Layout of the half to write.", default="vech", show_default=True)
@kind_option
@click.option(
    "--use",
    type=click.Choice(["both", "lower", "upper", "mean"]),
    default="both",
    show_default=True,
    help="Which triangle to believe; both must agree. Example: --use lower",
)
@click.option(
    "--tolerance",
    type=float,
    help="How far (i, j) and (j, i) may be apart; n eps max|a| unless said. Example: --tolerance 1e-9",
)
@dtype_option
@n_option
@threads_option
@force_option
def pack(
    file: Path,
    out: Path,
    layout: str,
    kind: str | None,
    use: str,
    tolerance: float | None,
    dtype: str | None,
    n: int | None,
    threads: int | None,
    force: bool,
) -> None:
    """Write the half of the full matrix in FILE, dense or sparse.

    \b
    Examples:
      vech pack full.npy -o half.npy
      vech pack full.npy -o half.npy --layout lapack-upper --use upper
      vech pack matrix.mtx -o half.npz --tolerance 1e-9
    """
    vech.io.file_format(out)
    _check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"packing {file.name}", _size(file)) as bar:
        store = vech.io.pack(
            file, layout, kind=kind, use=use, tolerance=tolerance, dtype=dtype, n=n, threads=threads
        )
        bar.now(f"writing {out.name}", store.nbytes)
        vech.io.write(out, store)
    _done(out, store, began)


@vech_command.command()
@file_argument
@out_option
@layout_option(("--from", "source"), "Layout of FILE, unless it says it.")
@layout_option(("--to", "target"), "Layout of OUT.", required=True)
@kind_option
@dtype_option
@n_option
@threads_option
@force_option
def convert(
    file: Path,
    out: Path,
    source: str | None,
    target: str,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    threads: int | None,
    force: bool,
) -> None:
    """Write the half in FILE in another layout.

    \b
    Examples:
      vech convert half.npy --from numpy-tril --to vech -o other.npy
      vech convert half.bin --dtype '<f4' --from condensed --to numpy-tril -o half.npy
    """
    vech.io.file_format(out)
    _check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"converting {file.name}", _size(file)) as bar:
        store = vech.read(file, layout=source, kind=kind, dtype=dtype, n=n)
        if not isinstance(store, vech.Packed):
            raise click.ClickException(
                f"{file} is sparse, which has no layout: vech pack {file} -o {out} makes a half of it"
            )
        half = vech.convert(store.half, store.layout, target, kind=store.kind, threads=threads)
        store = vech.Packed(half, target, kind=store.kind, labels=store.labels)
        bar.now(f"writing {out.name}", store.nbytes)
        vech.io.write(out, store)
    _done(out, store, began)


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
        _check_new(out, force)
    run(out or Path("vech-demo.png"), threads=threads)


class Bar:
    """A progress bar on a terminal, once the work has lasted: the time it takes, or bytes and the time left."""

    def __init__(self, text: str, size: int) -> None:
        self.console = Console(stderr=True)
        name = TextColumn("{task.description}", markup=False)
        self.counting = (name, BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self.bar = Progress(name, BarColumn(), TimeElapsedColumn(), console=self.console, transient=True)
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

    def now(self, text: str, size: int) -> None:
        """Say what is being done with so many bytes."""
        self.bar.update(self.task, description=f"{text}, {_bytes(size)}")

    def __call__(self, done: int, total: int) -> None:
        self.bar.columns = self.counting
        self.bar.update(self.task, completed=done, total=total)


def _check_out(file: Path, out: Path, force: bool) -> None:
    """Refuse to write over the input, and over anything without --force."""
    targets = [out, description_path(out)] if out.suffix.lower() == ".npy" else [out]
    for target in targets:
        if target.exists() and file.exists() and target.samefile(file):
            raise click.ClickException(f"{out} is the input: write to another file")
        _check_new(target, force)


def _check_new(out: Path, force: bool) -> None:
    if out.exists() and not force:
        raise click.ClickException(f"{out} exists: choose another name, or --force to overwrite it")


def _done(out: Path, store: Any, began: float) -> None:
    seconds = time.perf_counter() - began
    size = _bytes(out.stat().st_size)
    click.echo(f"{out}: {store.n} x {store.n} {store.dtype}, {store.kind}, {size}, {seconds:.2f} s")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _print_layouts() -> None:
    table = Table(
        Column("layout", no_wrap=True),
        Column("order, diagonal, scale", max_width=24),
        "names",
        Column("who", overflow="fold"),
    )
    for name in CANONICAL:
        order, diagonal, scale = words(vech.as_layout(name))
        rows = users(name)
        names = {name, *(row.name for row in rows)}
        who = "; ".join(dict.fromkeys(row.library for row in rows))
        table.add_row(name, f"{order}; {diagonal}; {scale}", str(len(names)), who)
    console = Console(highlight=False)
    console.print(table)
    console.print("vech dialects NAME shows one; any of its names will do.")


def _print_layout(name: str) -> None:
    layout = vech.as_layout(name)
    order, diagonal, scale = words(layout)
    drawn = [picture(layout, n) for n in sides(layout)]
    click.echo(f"{name} = {layout.name}" if name != layout.name else name)
    click.echo(f"{order}; diagonal {diagonal}; scale {scale}")
    if (same := twin(layout)) is not None:
        click.echo(f"same numbers for a symmetric matrix: {same[0]} ({'; '.join(same[1])})")
    click.echo()
    click.echo("\n\n".join(drawn) + "\n")
    marks = (f"{mark} {meaning}" for mark, meaning in LEGEND.items() if mark in "".join(drawn))
    click.echo("\n".join(marks) + "\n")
    for row in users(name):
        click.echo(f"{row.name}: {row.library}, {row.calls}")
        click.echo(f"    proof: {row.proof}")
        if row.quirks:
            click.echo(f"    mind: {row.quirks}")
    click.echo("\n" + "\n".join(conversions(name)))


def _print_found(found: Candidates, said: str | None) -> None:
    console = Console(highlight=False)
    console.print(found.summary + (f"\nThe file says {said}." if said else ""), markup=False)
    fitting, ruled_out = Table("rank", "layout", "n", "verdict", "why"), Table("ruled out", "n", "why")
    for row in [*found, *found.excluded]:
        names, why = Text("\n".join(row.names)), Text("\n".join(row.reasons))
        if row.rank:
            fitting.add_row(f"{row.rank}", names, f"{row.n:,}", row.verdict, why)
        else:
            ruled_out.add_row(names, f"{row.n:,}", why)
    console.print(fitting, *([ruled_out] if found.excluded else []))


def _print_info(file: Path, found: Info, n: int | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{file}: {found.holds}, {found.dtype}", markup=False)
    share = f" ({found.nonzeros / found.count:.2%})" if found.count else ""
    console.print(f"{found.count:,} numbers stored, {found.nonzeros:,} nonzero{share}, {found.nans:,} NaN")
    if found.smallest is not None:
        what = "sizes |a|" if found.dtype.kind == "c" else "values"
        console.print(f"{what} from {found.smallest} to {found.largest}")
    if not found.cases:
        console.print(
            "no layout fits so many numbers, with or without a diagonal"
            if n is None
            else f"{found.count:,} numbers are no half of side n = {n}: without --n the sides that fit are listed"
        )
        return
    table = Table("as", "n", "nonzeros", "half", "full", "CSR", "smallest")
    for case in found.cases:
        sizes = [_bytes(size) for size in (case.half, case.full, case.csr)]
        table.add_row(case.name, f"{case.n:,}", f"{case.nonzeros:,}", *sizes, case.best)
    console.print(table)


if __name__ == "__main__":
    main()
