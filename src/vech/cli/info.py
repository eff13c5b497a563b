"""info: what files hold, in words or as JSON."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import vech.io
from vech.cli.options import dtype_option, in_bytes, in_norms, n_option, text_options
from vech.cli.root import FAULTS, spoken, vech_command
from vech.cli.streams import in_format_option, shown, source
from vech.io.errors import visible
from vech.io.info import Bits, Case, Info, summarize
from vech.io.labels import encode_labels
from vech.labels import label_text

LABELS_SHOWN = 8


@vech_command.command(short_help="Say what FILE holds or could hold.")
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, one object a file. Example: --json"
)
@in_format_option
@dtype_option
@n_option
@text_options
def info(files: Sequence[Path], as_json: bool, in_format: str | None, **options: Any) -> None:
    """Say what each FILE holds or could hold, and what it takes as half, full and CSR; - is stdin.

    Of a full matrix it says whether it is symmetric, and else which two numbers are furthest apart.
    With several files, what is wrong with one is said in its place, and the exit code is 2.

    \b
    Examples:
      vech info half.npy
      vech info *.npy *.csv --json
      vech info numbers.bin --dtype '>f4'
      zcat matrix.csv.gz | vech info - --in-format csv
    """
    found: list[tuple[str, Info | str]] = []
    wrong = 0
    for file in files:
        try:
            with source(file, in_format) as path:
                found.append((shown(path), _found(path, **options)))
        except (click.ClickException, *FAULTS) as error:
            if len(files) == 1:
                raise
            found.append((str(file), spoken(error)))
            wrong += 1
        if not as_json:
            _print(*found.pop(), options["n"])
    if as_json:
        click.echo(json.dumps([_fields(*each) for each in found], indent=2))
    if wrong:
        raise click.ClickException(f"{wrong} of {len(files)} files could not be read")


def _found(path: Path, *, n: int | None, **options: Any) -> Info:
    return summarize(vech.io.examine(path, n=n, **options), n)


def _fields(name: str, found: Info | str) -> dict[str, Any]:
    """One file in what JSON has."""
    if isinstance(found, str):
        return {"file": name, "error": found}
    sides = {case.n for case in found.cases}
    return {
        "file": name,
        "holds": found.holds,
        "dtype": str(found.dtype),
        "kind": found.kind,
        "not_symmetric": found.fault,
        "n": sides.pop() if len(sides) == 1 else None,
        "labels": None if found.labels is None else encode_labels(found.labels),
        "tiles": found.tiles and {"count": found.tiles.count, **asdict(found.tiles)},
        "quantized": found.bits and asdict(found.bits),
        "stored": found.count,
        "nonzeros": found.nonzeros,
        "nans": found.nans,
        "smallest": _number(found.smallest),
        "largest": _number(found.largest),
        "cases": [
            {
                "as": case.name,
                "n": case.n,
                "nonzeros": case.nonzeros,
                "bytes": {"half": case.half, "full": case.full, "csr": case.csr},
                "smallest": case.best,
            }
            for case in found.cases
        ],
    }


def _number(found: Any) -> Any:
    """What JSON has for it: text for infinities and dates."""
    if found is None or isinstance(found, np.datetime64 | np.timedelta64):
        return found if found is None else str(found)
    number = found.item()
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number


def _print(name: str, found: Info | str, n: int | None) -> None:
    console = Console(highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(visible(line), markup=False)

    if isinstance(found, str):
        say(found if found.startswith(name) else f"{name}: {found}")
        return
    say(f"{name}: {found.holds}, {found.dtype}")
    if (tiles := found.tiles) is not None:
        done = f"{tiles.missing:,} missing" if tiles.missing else "all done"
        say(f"{tiles.count:,} tiles of {tiles.tile:,} rows, compression {tiles.compression}, {done}")
    if found.bits is not None:
        for line in _of_bits(found.bits, found.cases[0]):
            say(line)
    if found.fault is not None:
        say(f"{found.fault}; vech pack has --use and --tolerance")
    elif found.kind is not None and found.kind not in found.holds:
        say(f"{found.kind}: both triangles agree")
    share = f" ({found.nonzeros / found.count:.2%})" if found.count else ""
    say(f"{found.count:,} numbers stored, {found.nonzeros:,} nonzero{share}, {found.nans:,} NaN")
    if found.smallest is not None:
        what = "sizes |a|" if found.dtype.kind == "c" else "values"
        say(f"{what} from {found.smallest} to {found.largest}")
    if found.labels is not None:
        more = ", ..." if len(found.labels) > LABELS_SHOWN else ""
        few = ", ".join(map(label_text, found.labels[:LABELS_SHOWN]))
        say(f"{len(found.labels):,} labels: {few}{more}")
    if not found.cases:
        say(
            "no layout fits so many numbers, with or without a diagonal"
            if n is None
            else f"{found.count:,} numbers are no half of side n = {n}: without --n the sides "
            f"that fit are listed"
        )
        return
    table = Table("as", "n", "nonzeros", "half", "full", "CSR", "smallest")
    for case in found.cases:
        sizes = [in_bytes(size) for size in (case.half, case.full, case.csr)]
        table.add_row(case.name, f"{case.n:,}", f"{case.nonzeros:,}", *sizes, case.best)
    console.print(table)


def _of_bits(bits: Bits, case: Case) -> Iterator[str]:
    """How numbers are held, what that takes, and what it has lost."""
    wholes = {"half": case.half, "full matrix": case.full}
    shares = [f"{bits.bytes / whole:.3g} of the {name}" for name, whole in wholes.items() if whole]
    yield (
        f"{bits.encoding} in the domain {bits.domain}, tiles of {bits.tile}: "
        f"{', '.join((in_bytes(bits.bytes), *shares))}"
    )
    yield "no certificate of the error" if bits.frobenius is None else in_norms(bits)
