"""expand, pack, convert: the matrix of a file in another form."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import vech
import vech.io
from vech.cli.options import (
    Bar,
    Count,
    Real,
    check_out,
    dtype_option,
    file_argument,
    force_option,
    kind_option,
    layout_option,
    n_option,
    out_option,
    saying_warnings,
    size_of,
    summary,
    text_options,
    threads_option,
)
from vech.cli.root import Command, vech_command
from vech.cli.streams import STREAM, in_format_option, out_format_option, source, target
from vech.io.content import Content
from vech.io.info import summarize
from vech.labels import label_text


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
@in_format_option
@out_format_option
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
    in_format: str | None,
    out_format: str | None,
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
    if to == "auto" and out == STREAM:
        raise click.ClickException("--to auto chooses a file: of -o -, stdout, say --to dense, csr or csc")
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        if to != "auto":
            vech.io.expands_to(made, to)
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            store = vech.io.read(path, layout=layout, kind=kind, dtype=dtype, n=n, **text)
            if to == "auto":
                to = "csr" if summarize(Content.of_store(store)).cases[0].best == "csr" else "dense"
                made = made if out.suffix else out.with_name(out.name + {"csr": ".npz", "dense": ".npy"}[to])
                vech.io.expands_to(made, to)
                check_out(file, made, force)
            bar.now(f"expanding {path.name}", store.nbytes)
            with saying_warnings():
                vech.io.expand(made, store, to=to, threads=threads, progress=bar, overwrite=force)
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)


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
@in_format_option
@out_format_option
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
    in_format: str | None,
    out_format: str | None,
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
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        vech.io.file_format(made)
        began = time.perf_counter()
        with Bar(f"packing {path.name}", size_of(path)) as bar:
            store = vech.io.pack(
                path,
                layout,
                kind=kind,
                use=use,
                tolerance=tolerance,
                dtype=dtype,
                n=n,
                threads=threads,
                **text,
            )
            bar.now(f"writing {made.name}", store.nbytes)
            vech.io.write(made, store, overwrite=force)
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)


class _Convert(Command):
    """Its help lists the file formats, each of which is imported to be asked."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        *others, last = vech.io.written()
        self.help = (self.help or "").replace("WRITTEN", f"{', '.join(others)} or {last}")
        super().format_help(ctx, formatter)


@vech_command.command(cls=_Convert, python={"layout": "--from", "use": "vech pack --use"})
@file_argument
@out_option
@layout_option(("--from", "source_layout"), "Layout of FILE, unless it says it.")
@layout_option(("--to", "target_layout"), "Layout of OUT; the one of FILE unless said.")
@kind_option
@in_format_option
@out_format_option
@dtype_option
@n_option
@text_options
@click.option(
    "--out-sep",
    metavar="MARK",
    help="What separates cells of OUT, where that is text; commas in .csv, else tabs, unless said. "
    "Example: --out-sep ';'",
)
@click.option(
    "--out-decimal",
    metavar="MARK",
    help="Decimal mark of OUT, where that is text; '.' unless said. Example: --out-decimal ,",
)
@click.option(
    "--out-encoding",
    metavar="NAME",
    help="What numbers become: int8, int16, float32 or float64 in an LD store; in a store of tiles any that "
    "vech quantize has. Example: --out-encoding int8",
)
@click.option(
    "--out-dtype",
    metavar="DTYPE",
    help="What numbers become before anything else, as NumPy's astype does. Example: --out-dtype float32",
)
@click.option(
    "--window", type=Count(min=0), help="Variants behind each that an LD store keeps. Example: --window 500"
)
@click.option(
    "--threshold",
    type=Real(),
    help="Below which correlations of an LD store become zero. Example: --threshold 0.1",
)
@click.option(
    "--variants",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An LD store whose alleles, positions and the like go along, by the ids of rows. "
    "Example: --variants chr_22.ld.zarr",
)
@click.option(
    "--drop-labels",
    is_flag=True,
    help="Leave the labels out, for file formats without a place for them. Example: --drop-labels",
)
@click.option(
    "--join-labels",
    metavar="MARK",
    help="Write labels as text, their parts (FID and IID, levels of a MultiIndex) and words with MARK "
    "between. Example: --join-labels _",
)
@threads_option
@force_option
def convert(
    file: Path,
    out: Path,
    source_layout: str | None,
    target_layout: str | None,
    kind: str | None,
    dtype: str | None,
    n: int | None,
    in_format: str | None,
    out_format: str | None,
    out_sep: str | None,
    out_decimal: str | None,
    out_encoding: str | None,
    out_dtype: str | None,
    window: int | None,
    threshold: float | None,
    variants: Path | None,
    drop_labels: bool,
    join_labels: str | None,
    threads: int | None,
    force: bool,
    **text: Any,
) -> None:
    """Write the matrix in FILE in another file format, another layout, or both.

    FILE is a half, a full matrix that is symmetric, or a sparse one, of any file format that vech reads.
    OUT, which keeps the labels, is WRITTEN.

    \b
    Examples:
      vech convert half.npy --from numpy-tril --to vech -o other.npy
      vech convert half.bin --dtype '<f4' --from condensed -o half.npy
      vech convert distances.csv --sep ';' --decimal , -o distances.phy
      vech convert half.npz -o store.h5::/matrix
      vech convert x.mdist -o x.phy --join-labels _
      vech convert kinship.npz -o kinship.grm.bin --out-dtype float32
      vech convert chr_22 -o r.ld.zarr --threshold 0.1 --variants chr_22
      vech convert - --in-format csv -o - --out-format npz < matrix.csv > half.npz
    """
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        can = vech.io.file_format(made).CAN
        began = time.perf_counter()
        with Bar(f"converting {path.name}", size_of(path)) as bar:
            store = vech.io.read(path, layout=source_layout, kind=kind, dtype=dtype, n=n, **text)
            if out_dtype is not None:
                store = (store if hasattr(type(store), "astype") else store.to_packed()).astype(out_dtype)
            is_sparse = store.describe().triangle is not None
            if target_layout is not None or (is_sparse and "sparse" not in can.write):
                store = store.to_packed(target_layout or "vech", threads=threads)
            if drop_labels:
                store = store.with_labels(None)
            if join_labels is not None and store.labels is not None:
                store = store.with_labels(lambda label: _joined(label, join_labels))
            bar.now(f"writing {made.name}", store.nbytes)
            with _saying_out_options():
                vech.io.write(
                    made,
                    store,
                    overwrite=force,
                    sep=out_sep,
                    decimal=out_decimal,
                    encoding=out_encoding,
                    window=window,
                    threshold=threshold,
                    variants=None if variants is None else vech.io.read_variants(variants),
                )
        line = summary(made, store, began)
    click.echo(line, err=out == STREAM)


def _joined(label: Any, mark: str) -> str:
    return mark.join(label_text(label).split())


@contextmanager
def _saying_out_options() -> Iterator[None]:
    """Say --out-sep and so on, since --sep is of the file that is read."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = re.sub(r"\b(sep|decimal|encoding)=", r"out_\1=", str(error))
        raise click.ClickException(message) from error
