"""Any function of two blocks of rows: one triangle of its tiles becomes a store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, as_array, family, is_array, is_real, native
from vech.executors import pickled
from vech.io.dtypes import as_dtype
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import Layout, as_integer, as_side
from vech.results.identity import digest_of
from vech.results.making import make
from vech.results.wanted import Progress, Wanted
from vech.store import as_labels, check_readable
from vech.tiled.squares import check_square

SIDE = 256
"""Rows and columns that a function is asked for at a time, unless told."""

Function = Callable[[slice, slice], Any]
IMPLIED = {None: "stored", 0: "zero", 1: "one"}


def from_blocks(
    function: Function,
    n: int,
    *,
    dtype: Any,
    kind: str = "symmetric",
    diagonal: int | None = None,
    labels: Iterable[Any] | None = None,
    layout: str | AnyLayout | None = None,
    tile: int | None = None,
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The matrix that a function gives block by block, asked for one triangle of its tiles.

    Parameters
    ----------
    function : callable
        ``function(rows, columns)``, two slices of at most `tile` rows, gives the numbers of the full matrix
        there: an array, shape (k, m), of `dtype`. It is called once for each tile of one triangle, in any
        order; where rows and columns are the same, the whole square is wanted.
    n : int
        Rows of the matrix.
    dtype : dtype
        Of the numbers, in this machine's byte order; what the function gives is not cast.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}
        What the other triangle is. Squares on the diagonal are compared with it.
    diagonal : {None, 0, 1}
        What stands on the diagonal, whatever the function says there; unless told, what it says. A skew
        matrix has zeros.
    labels : sequence, optional
        One for each row.
    layout : str or layout, optional
        Of the result. Unless told "vech"; where `diagonal` is said, that without its diagonal, which for 0 is
        "condensed".
    tile : int, optional
        Rows of a tile, 256 unless told: fewer where the function is slow, so that a run that is killed loses
        less and more workers have something to do; more where it is fast only on large blocks. Where it is
        told, tiles of a store have as many.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype; or the file to write, in bounded memory, with a journal of
        what is done beside it until it is complete; or the `vech.Tiled` to make, which has no layout.
    resume : bool
        Whether to go on from that journal, or with what the store misses. With the same function the file has
        the same bytes as of one run; what is complete is read. Where nothing is there a run starts.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes rows of tiles, of a store tiles, as tasks; unless told, this thread. Threads call the
        function in parallel; other processes get it by pickle, arrays in it by memory map.
    threads : int, optional
        At most so many threads for putting tiles down.
    progress : callable, optional
        Called as ``progress(tiles done, all tiles)``.

    Returns
    -------
    vech.Packed, or vech.Tiled
        n x n. Of a file, its numbers are read when they are used.

    Raises
    ------
    ValueError
        For a block of another shape, a square on the diagonal that is not of the kind (by more than
        rounding), and with `resume` for another function, n, dtype, kind, layout, tile or labels than those
        of the journal or the file: what differs is named.
    TypeError
        For what is no array, another dtype, and a function that cannot be pickled for other processes.
    OSError
        Where the disk is full, before anything is computed, or another run makes the same file.

    Notes
    -----
    (n / tile)(n / tile + 1) / 2 calls. Memory for the half, or with a path for a tile; with processes and no
    path, for some rows of tiles as well. NaN is kept as it is; of a Hermitian diagonal the real part is. What
    the function raises comes out as it is, with a note of the rows and columns; the journal stays.

    Of the function the journal has its name and a digest of its pickle, so of the arrays in it, not its code:
    what cannot be pickled (a lambda, a closure) is known by its name alone, and is for you to keep the same.

    Examples
    --------
    >>> import numpy as np
    >>> words = ["kitten", "mitten", "sitting"]
    >>> def common(rows, columns):
    ...     return np.array([[len(set(a) & set(b)) for b in words[columns]] for a in words[rows]])
    >>> from_blocks(common, 3, dtype=int, labels=words).expand()
    array([[5, 4, 3],
           [4, 5, 3],
           [3, 3, 5]])
    >>> from_blocks(common, 3, dtype=int, diagonal=0).half
    array([4, 3, 3])
    """
    if not callable(function):
        raise TypeError(
            f"function must be callable as function(rows, columns), not {type(function).__name__}"
        )
    n = as_side(n)
    check_readable(diagonal, "diagonal")
    if not (diagonal is None or (is_real(diagonal) and diagonal in IMPLIED)):
        raise ValueError(f"diagonal must be None, 0 or 1, not {diagonal!r}")
    dtype = as_dtype(dtype)
    if native(dtype) != dtype:
        raise TypeError(f"dtype {dtype.str} has swapped bytes: say {native(dtype).str}, and write the file")
    family(dtype)
    rule = resolve_kind(kind, dtype, moves=False)
    if rule.negates and diagonal == 1:
        raise ValueError(f"kind={kind!r} has no ones on its diagonal: say diagonal=0, or None")
    side = SIDE if tile is None else as_integer("tile", tile)
    if side < 1:
        raise ValueError(f"tile must be at least 1 row, not {side}")
    usual = Layout("lower", "columns", diagonal=IMPLIED[diagonal])
    wanted = Wanted(layout or usual, out, resume, executor, threads, progress, tile and side, usual, encoding)
    return make(
        _Checked(function, dtype, rule, diagonal),
        n,
        dtype,
        wanted,
        labels=as_labels(labels, n),
        implied=0 if rule is Kind.SKEW else diagonal,
        kind=rule,
        side=side,
        what={"diagonal": diagonal, **(_about(function) if wanted.path() is not None else {})},
        data={},
    )


@dataclass(frozen=True)
class _Checked:
    """A function whose blocks are what they are said to be."""

    function: Function
    dtype: Dtype
    kind: Kind
    diagonal: int | None

    def __call__(self, rows: slice, columns: slice) -> Array:
        call = f"function({_text(rows)}, {_text(columns)})"
        try:
            made = self.function(rows, columns)
        except Exception as error:
            error.add_note(f"in {call}")
            raise
        if not is_array(made):
            raise TypeError(f"{call} returned {type(made).__name__}, and must return an array")
        block = as_array(made, f"what {call} returned")
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        if block.shape != shape:
            raise ValueError(f"{call} returned shape {block.shape}, and these rows and columns have {shape}")
        if block.dtype != self.dtype:
            raise TypeError(
                f"{call} returned {block.dtype}, and dtype is {self.dtype}: say "
                f"dtype={block.dtype.name!r}, or let it return .astype({self.dtype.name!r})"
            )
        if rows == columns:
            check_square(block, rows.start, self.kind, call, diagonal=self.diagonal is None)
            said: Any = block.diagonal()
            counts = self.kind.settled(said) if self.diagonal is None else self.diagonal
            if counts is not said:  # rounding of a_ii that is not its own mirror
                block = block.copy()
                np.fill_diagonal(block, counts)
        return block


def _text(rows: slice) -> str:
    return f"{rows.start}:{rows.stop}"


def _about(function: Function) -> dict[str, Any]:
    """What a journal can know of a function: its name, and what it holds where it can be pickled."""
    named: Any = function
    while isinstance(named, functools.partial):
        named = named.func
    name = getattr(named, "__qualname__", None) or type(named).__qualname__
    about = {"function": f"{getattr(named, '__module__', None)}.{name}"}
    parts: list[bytes] = []
    try:
        stream = pickled(
            function, lambda buffer: parts.append(digest_of(np.frombuffer(buffer.raw(), "u1")).encode())
        )
    except TypeError:
        return about
    return about | {"what it holds": digest_of(b" ".join([stream, *parts]))}
