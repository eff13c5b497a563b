"""tile, verify: a matrix as a store of tiles; whether files hold what was written."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

import vech
import vech.io
import vech.tiled
from vech.arrays import native
from vech.cli.making import TILES
from vech.cli.options import (
    Bar,
    Count,
    check_out,
    dtype_option,
    file_argument,
    force_option,
    kind_option,
    layout_option,
    n_option,
    out_option,
    size_of,
    summary,
    text_options,
)
from vech.cli.root import Interrupted, vech_command
from vech.cli.streams import STREAM, in_format_option, shown, source
from vech.io.errors import NO_DIGEST, FileFormatError, NoMatrixError, visible
from vech.results.identity import differences, identity
from vech.tiled.description import is_tiled
from vech.tiled.grid import Grid
from vech.tiled.objects import draft_of
from vech.tiled.opening import native_blocks, usual_compression

WRONG = 1
"""Exit code where tiles are damaged or missing."""

NAMED = 10
"""Tiles that a line names at most."""


@vech_command.command("tile", short_help="Write the matrix in FILE as a store of tiles.")
@file_argument
@out_option
@click.option(
    "--tile",
    type=Count(min=1),
    help="Rows of a tile: 1024 unless said, up to 4096 for large matrices. Example: --tile 2048",
)
@click.option(
    "--compression",
    type=click.Choice(["none", "zstd"]),
    help="Unless said zstd for integers and sparse matrices, none for others. Example: --compression zstd",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a store that was not finished: the same command, and this. Example: --resume",
)
@layout_option(("--layout",), "What the numbers of FILE are, unless it says it.")
@kind_option
@in_format_option
@dtype_option
@n_option
@text_options
@force_option
def tile_command(
    file: Path,
    out: Path,
    tile: int | None,
    compression: str | None,
    resume: bool,
    layout: str | None,
    kind: str | None,
    in_format: str | None,
    dtype: str | None,
    n: int | None,
    force: bool,
    **text: Any,
) -> None:
    """Write the matrix in FILE, of any file format that vech reads, as a store of its lower tiles.

    OUT is a folder ending in .zarr, a group of Zarr's format 3. A tile appears in it when it is complete,
    so what was interrupted or killed goes on with --resume.

    \b
    Examples:
      vech tile half.npy -o S.zarr
      vech tile matrix.mtx -o S.zarr --tile 2048 --compression zstd
      vech tile half.npy -o S.zarr --resume
    """
    if out == STREAM or out.suffix.lower() != TILES:
        raise click.ClickException(f"a store of tiles is a folder ending in {TILES}, and OUT is {out}")
    check_out(file, out, force or (resume and is_tiled(out)))
    with source(file, in_format) as path:
        began = time.perf_counter()
        with Bar(f"reading {path.name}", size_of(path)) as bar:
            store = vech.io.read(path, layout=layout, kind=kind, dtype=dtype, n=n, **text)
            made = _identity(store)
            if resume and is_tiled(out):
                tiled = _opened(out, store, made, tile, compression)
            else:
                tiled = vech.tiled.create(
                    out,
                    store.n,
                    dtype=native(store.dtype),
                    kind=store.kind,
                    tile=tile,
                    labels=store.labels,
                    overwrite=force,
                    compression=compression or usual_compression(store),
                    made=made,
                )
            bar.now(f"writing {out.name}", store.nbytes, "tiles")
            with _going_on(out):
                tiled.fill(native_blocks(store), progress=bar)
        click.echo(summary(out, tiled, began))


def _identity(store: Any) -> dict[str, Any]:
    """What tiles are made of: the numbers of the file, wherever it lies."""
    described = store.describe()
    if described.triangle is not None:
        data = {name: getattr(store, name) for name in ("indptr", "indices", "data")}
    elif described.layout is not None:
        data = {"half": store.half}
    else:
        data = {"tiles": (store.read_tile(i, j) for i in range(store.grid) for j in range(i + 1))}
    what = {"function": "tile", "layout": described.layout and described.layout.name}
    return identity(what, data)


def _opened(
    out: Path, store: vech.Store, made: dict[str, Any], tile: int | None, compression: str | None
) -> Any:
    """The store that a run has left, if it is of the same numbers and cut in the same way."""
    tiled = vech.tiled.open(out, "r+")
    if not isinstance(tiled, vech.Tiled):
        raise click.ClickException(f"{out} holds a factor, and no matrix: choose another name")
    asked = {"tile": tile or tiled.tile, "compression": compression or tiled.compression}
    there = {"tile": tiled.tile, "compression": tiled.compression} | (tiled.made or {})
    if other := differences(there, asked | made):
        raise click.ClickException(
            f"{out} is made of other things: {other}; start anew with --force, without --resume"
        )
    return tiled


@contextmanager
def _going_on(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; the same command with --resume goes on with {out}") from stop


# ---- verify ------------------------------------------------------------------------------------------------


@vech_command.command(short_help="Check that FILE holds what was written, and mend a store of tiles.")
@file_argument
@click.option(
    "--repair-from",
    metavar="MATRIX",
    type=click.Path(path_type=Path),
    help="A file with the same matrix, from which tiles that are damaged or missing are written again. "
    "Example: --repair-from half.npy",
)
@layout_option(("--layout",), "What the numbers of MATRIX are, unless it says it.")
@kind_option
@click.pass_context
def verify(
    context: click.Context, file: Path, repair_from: Path | None, layout: str | None, kind: str | None
) -> None:
    """Read all of FILE, and compare it with the checksums that were written beside the numbers.

    Of a store of tiles (.zarr) it says which are damaged and which missing. The exit code is 0 where all is
    well, 1 where it is not, and 2 where FILE cannot be read or has no checksums.

    \b
    Examples:
      vech verify S.zarr
      vech verify S.zarr --repair-from half.npy
      vech verify half.npy
    """
    if not is_tiled(file):
        if repair_from is not None:
            raise click.ClickException(f"--repair-from mends stores of tiles, and {file} is none")
        context.exit(_verified(file))
    if is_tiled(draft := Path(draft_of(str(file)))):
        _say(
            f"{shown(draft)}: not finished, and to take the place of {file.name}: the command that made it "
            "goes on with --resume"
        )
    tiles = vech.tiled.open(file, "r" if repair_from is None else "r+")
    with Bar(f"reading {file.name}", size_of(file)) as bar:
        bar.now(f"reading {file.name}", size_of(file), "tiles")
        damaged = tiles.verify(progress=bar)
    missing = tiles.missing()
    count = tiles.grid * (tiles.grid + 1) // 2
    if not damaged and not missing:
        _say(f"{shown(file)}: {count} tiles, all as they were written")
        return
    for what, found in (("damaged", damaged), ("missing", missing)):
        if found:
            _say(f"{shown(file)}: {len(found)} of {count} tiles {what}: {_named(found)}")
    if repair_from is None:
        context.exit(WRONG)
    if not isinstance(tiles, vech.Tiled):
        raise click.ClickException(f"{file} holds a factor: vech cholesky --resume makes these tiles again")
    _repair(tiles, file, repair_from, {*damaged, *missing}, vech.read(repair_from, layout=layout, kind=kind))
    _say(f"{shown(file)}: {len(damaged) + len(missing)} tiles written again from {repair_from}")


def _verified(file: Path) -> int:
    """Compare what is no store of tiles with its digests: the exit code."""
    try:
        with Bar(f"reading {file.name}", size_of(file)):
            vech.io.examine(file, verify=True)
    except NoMatrixError as error:
        raise click.ClickException(str(error)) from error
    except FileFormatError as error:
        if error.message == NO_DIGEST:
            raise click.ClickException(f"{file}: has no checksums of its numbers to verify") from error
        _say(str(error))
        return WRONG
    _say(f"{shown(file)}: all as it was written")
    return 0


def _say(line: str) -> None:
    click.echo(visible(line))


def _named(tiles: list[tuple[int, int]]) -> str:
    more = f" and {len(tiles) - NAMED} more" if len(tiles) > NAMED else ""
    return ", ".join(f"({i}, {j})" for i, j in tiles[:NAMED]) + more


def _repair(tiles: Any, file: Path, path: Path, wrong: set[tuple[int, int]], matrix: vech.Store) -> None:
    """Write tiles again, of a matrix that agrees with all the others."""
    for name in ("n", "dtype", "kind", "labels"):
        here, there = getattr(tiles, name), getattr(matrix, name)
        if name == "dtype":
            there = native(there)
        if here != there and (name != "labels" or None not in (here, there)):
            raise click.ClickException(
                f"{path} is another matrix than {file}: its {name} is {there!r:.60}, not {here!r:.60}"
            )
    blocks = native_blocks(matrix)
    spans = [Grid(tiles.n, tiles.tile).span(k) for k in range(tiles.grid)]
    for i in range(tiles.grid):
        for j in set(range(i + 1)) - {j for k, j in wrong if k == i}:
            if not np.array_equal(
                tiles.read_tile(i, j).view(np.uint8), blocks(spans[i], spans[j]).view(np.uint8)
            ):
                raise click.ClickException(
                    f"{path} is another matrix than {file}: their numbers differ in tile ({i}, {j}), which "
                    "is not damaged"
                )
    for i, j in sorted(wrong):
        tiles.write_tile(i, j, blocks(spans[i], spans[j]))
