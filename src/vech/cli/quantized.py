"""quantize: a matrix in few bits a number."""

import time
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

import vech
import vech.io
from vech.cli.making import TILES
from vech.cli.options import (
    COOLER,
    MARKS,
    Bar,
    Count,
    Real,
    check_out,
    dtype_option,
    each,
    file_argument,
    force_option,
    in_norms,
    kind_option,
    layout_option,
    n_option,
    out_option,
    size_of,
    summary,
    threads_option,
)
from vech.cli.root import vech_command
from vech.cli.streams import STREAM, in_format_option, out_format_option, source, target
from vech.io.content import INSIDE


class EncodingName(click.types.StringParamType):
    """The name of an encoding, which the library judges: it knows the nearest ones."""

    name = "encoding"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """All names there are."""
        return [CompletionItem(name) for name in vech.ENCODINGS if name.startswith(incomplete)]


class Scales(Real):
    """How scales are found, or the one of all tiles."""

    name = "scales"
    WAYS = ("tile", "two-sided")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text of an option."""
        if value in self.WAYS:
            return value
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is none of {', '.join(self.WAYS)}, and no number", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Both ways."""
        return [CompletionItem(way) for way in self.WAYS if way.startswith(incomplete)]


@vech_command.command(short_help="Write the matrix in FILE in few bits a number.")
@file_argument
@out_option
@click.option(
    "--encoding",
    metavar="NAME",
    type=EncodingName(),
    default="int8",
    show_default=True,
    help="What a number becomes: int8, uint8, int4, int4x2, nf4, linear2-4, kmeans-4, sign, float16, "
    "bfloat16, float8-e4m3 or float8-e5m2. Example: --encoding int4",
)
@click.option(
    "--tile",
    type=Count(min=1),
    default=64,
    show_default=True,
    help="Rows of a tile, which has a scale of its own: 32, 64, 128 or 256. Example: --tile 128",
)
@click.option(
    "--scales",
    metavar="[tile|two-sided|NUMBER]",
    type=Scales(),
    default="tile",
    show_default=True,
    help="One for each tile, one for each row, or a number for all. Example: --scales two-sided",
)
@click.option(
    "--domain",
    type=click.Choice(["entries", "cholesky", "log"]),
    default="entries",
    show_default=True,
    help="What becomes codes: the numbers, or of a definite matrix its Cholesky factor or its logarithm. "
    "Example: --domain cholesky",
)
@click.option(
    "--rounding",
    type=click.Choice(["nearest", "stochastic"]),
    default="nearest",
    show_default=True,
    help="To the nearest level, or at random so that the mean is right, by --seed. "
    "Example: --rounding stochastic --seed 7",
)
@click.option("--seed", type=Count(min=0), help="Of stochastic rounding. Example: --seed 7")
@click.option(
    "--clip",
    is_flag=True,
    help="Take the largest level for numbers beyond it, which are an error else. Example: --clip",
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@in_format_option
@out_format_option
@dtype_option
@n_option
@each((*MARKS, *COOLER))
@threads_option
@force_option
def quantize(
    file: Path,
    out: Path,
    encoding: str,
    tile: int,
    scales: str | float,
    domain: str,
    rounding: str,
    seed: int | None,
    clip: bool,
    layout: str | None,
    kind: str | None,
    in_format: str | None,
    out_format: str | None,
    dtype: str | None,
    n: int | None,
    threads: int | None,
    force: bool,
    **text: Any,
) -> None:
    """Write the matrix in FILE with 1 to 16 bits for each pair, and a certificate of what that loses.

    OUT is a .npz: codes, scales, the diagonal, which stays exact, and the certificate; or a store of tiles,
    .zarr. All commands take it as they take any file; vech plot draws the error.

    \b
    Examples:
      vech quantize half.npy -o q.npz
      vech quantize half.npy -o q.npz --encoding int4 --tile 32
      vech quantize precision.npy -o q.npz --domain cholesky
    """
    check_out(file, out, force)
    with target(out, out_format) as made, source(file, in_format) as path:
        if "quantized" not in vech.io.file_format(made).CAN.write or INSIDE in str(made):
            raise click.ClickException(f"codes are written as .npz, or .zarr, and OUT is {out}")
        others = (domain != "entries", scales == "two-sided", encoding == "int4x2")
        if made.suffix.lower() == TILES and any(others):
            raise click.ClickException(
                f"tiles have a code for each number, and scales of their own: write .npz, and OUT is {out}"
            )
        if encoding == "uint8" and not isinstance(scales, str):
            raise click.ClickException(
                f"uint8 has the least number of a tile beside its scale, and --scales {scales:g} is one "
                f"number: leave --scales out, or say --encoding int8; in Python vech.quantize takes both"
            )
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            store = vech.io.read(path, layout=layout, kind=kind, dtype=dtype, n=n, **text)
            bar.now(f"quantizing {path.name}", store.nbytes, "blocks")
            found = vech.quantize(
                store,
                encoding,
                tile=tile,
                scales=scales,
                domain=domain,
                rounding=rounding,
                seed=seed,
                clip=clip,
                threads=threads,
                progress=bar,
            )
            bar.now(f"writing {made.name}", found.nbytes)
            vech.io.write(made, found, overwrite=force)
        line = summary(made, found, began)
    click.echo(line, err=out == STREAM)
    click.echo(f"{found.encoding}, {in_norms(found.error)}", err=out == STREAM)
