"""info, expand, pack, convert: what a file holds, and its matrix in another form."""

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import vech
import vech.io
from vech.cli.options import (
    Bar,
    Real,
    check_out,
    done,
    dtype_option,
    file_argument,
    force_option,
    in_bytes,
    kind_option,
    layout_option,
    n_option,
    out_option,
    saying_warnings,
    size_of,
    text_options,
    threads_option,
)
from vech.cli.root import vech_command
from vech.io.content import Content
from vech.io.errors import visible
from vech.io.info import Info, summarize


@vech_command.command(short_help="Say what FILE holds or could hold.")
@file_argument
@dtype_option
@n_option
@text_options
def info(file: Path, dtype: str | None, n: int | None, **text: Any) -> None:
    """Say what FILE holds or could hold, and what it takes as half, full and CSR.

    \b
    Examples:
      vech info half.npy
      vech info numbers.bin --dtype '>f4'
    """
    _print_info(file, summarize(vech.io.examine(file, dtype=dtype, n=n, **text), n), n)


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
@text_options
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
    **text: Any,
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
        check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"reading {file.name}", size_of(file)) as bar:
        store = vech.io.read(file, layout=layout, kind=kind, dtype=dtype, n=n, **text)
        if to == "auto":
            to = "csr" if summarize(Content.of_store(store)).cases[0].best == "csr" else "dense"
            out = out if out.suffix else out.with_name(out.name + {"csr": ".npz", "dense": ".npy"}[to])
            vech.io.expands_to(out, to)
            check_out(file, out, force)
        bar.now(f"expanding {file.name}", store.nbytes)
        with saying_warnings():
            vech.io.expand(out, store, to=to, threads=threads, progress=bar, overwrite=force)
    done(out, store, began)


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
    type=Real(),
    help="How far (i, j) and (j, i) may be apart; n eps max|a| unless said. Example: --tolerance 1e-9",
)
@dtype_option
@n_option
@text_options
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
    **text: Any,
) -> None:
    """Write the half of the full matrix in FILE, dense or sparse.

    \b
    Examples:
      vech pack full.npy -o half.npy
      vech pack full.npy -o half.npy --layout lapack-upper --use upper
      vech pack matrix.mtx -o half.npz --tolerance 1e-9
    """
    vech.io.file_format(out)
    check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"packing {file.name}", size_of(file)) as bar:
        store = vech.io.pack(
            file,
            layout,
            kind=kind,
            use=use,
            tolerance=tolerance,
            dtype=dtype,
            n=n,
            threads=threads,
            **text,
        )
        bar.now(f"writing {out.name}", store.nbytes)
        vech.io.write(out, store, overwrite=force)
    done(out, store, began)


@vech_command.command()
@file_argument
@out_option
@layout_option(("--from", "source"), "Layout of FILE, unless it says it.")
@layout_option(("--to", "target"), "Layout of OUT.", required=True)
@kind_option
@dtype_option
@n_option
@text_options
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
    **text: Any,
) -> None:
    """Write the half in FILE in another layout.

    \b
    Examples:
      vech convert half.npy --from numpy-tril --to vech -o other.npy
      vech convert half.bin --dtype '<f4' --from condensed --to numpy-tril -o half.npy
    """
    vech.io.file_format(out)
    check_out(file, out, force)
    began = time.perf_counter()
    with Bar(f"converting {file.name}", size_of(file)) as bar:
        store = vech.read(file, layout=source, kind=kind, dtype=dtype, n=n, **text)
        if store.describe().layout is None:
            raise click.ClickException(
                f"{file} is sparse, which has no layout: vech pack {file} -o {out} makes a half of it"
            )
        store = store.to_packed(target, threads=threads)
        bar.now(f"writing {out.name}", store.nbytes)
        vech.io.write(out, store, overwrite=force)
    done(out, store, began)


def _print_info(file: Path, found: Info, n: int | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(visible(f"{file}: {found.holds}, {found.dtype}"), markup=False)
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
        sizes = [in_bytes(size) for size in (case.half, case.full, case.csr)]
        table.add_row(case.name, f"{case.n:,}", f"{case.nonzeros:,}", *sizes, case.best)
    console.print(table)
