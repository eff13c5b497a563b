"""What every file format loads: what a file holds, before anything is believed about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from vech.arrays import Array
from vech.io.errors import untaken
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.moves.nonzeros import sparse_dtype
from vech.sparse import SparseHalf
from vech.store import Store

INSIDE = "::"
"""Between a file and what is meant of all that it holds: "file.h5::/group/matrix"."""


def parted(path: Path) -> tuple[Path, str]:
    """The file, and what is meant inside it; "" where none is said."""
    name, _, inside = str(path).partition(INSIDE)
    return Path(name), inside


class Abilities(NamedTuple):
    """What a file format can, beside loading what it holds."""

    expand: tuple[str, ...] = ()
    """As what it holds a full matrix, "dense", "csr" or "csc", the usual way first."""
    write: tuple[str, ...] = ("dense",)
    """The halves that it holds, "dense", "sparse" or "quantized"; "any" store is given to it as it is."""
    labels: bool = False
    """Whether these are written too."""
    full_labels: bool = False
    """Whether they go with a full matrix as well."""
    options: tuple[str, ...] = ()
    """What loading takes beside the path."""
    write_options: tuple[str, ...] = ()
    """What writing takes beside the store."""
    folders: bool = False
    """Whether a folder may be such a file."""
    pipes: bool = False
    """Whether a pipe may be, which is read once, from its beginning to its end."""


@dataclass(frozen=True)
class Content:
    """What a file holds, and what it says of that.

    Attributes
    ----------
    holds : "store", "half", "full" or "sparse"
        A half that the file describes (Packed or SparseHalf); numbers of a half, 1-D, that it does not
        describe; a full matrix, symmetric or not: 2-D, or a sparse matrix of SciPy.
    numbers : Packed, SparseHalf, array or SciPy sparse matrix
        The content itself.
    labels : tuple, optional
        One for each row.
    kind : str, optional
        "symmetric" and so on, where the file says it.
    layout : layout, optional
        Into which a full matrix is packed, unless another is asked for.
    lines : sequence of int, optional
        Of a full matrix in text: the line of each row.
    """

    holds: Literal["store", "half", "full", "sparse"]
    numbers: Any
    labels: tuple[Any, ...] | None = None
    kind: str | None = None
    layout: AnyLayout | None = None
    lines: Sequence[int] | None = None

    @classmethod
    def of_store(cls, store: Store) -> Self:
        """A half that is described."""
        return cls("store", store, store.labels, store.kind)

    @classmethod
    def of_array(cls, array: Array, **said: Any) -> Self:
        """A full matrix or a bare half, by its dimensions; ValueError for anything else."""
        if array.ndim not in (1, 2) or len(set(array.shape)) > 1:
            _refuse_shape(array.shape)
        return cls("full" if array.ndim == 2 else "half", array, **said)

    @classmethod
    def of_sparse(cls, matrix: Any, **said: Any) -> Self:
        """A whole sparse matrix; ValueError for numbers that sparse arrays do not compute with."""
        try:
            sparse_dtype(matrix.dtype)
        except TypeError as error:
            raise ValueError(untaken(error, matrix.dtype)) from error
        return cls("sparse", matrix, **said)

    def check_square(self) -> None:
        """ValueError for a sparse matrix with other than n columns; of arrays `of_array` looks."""
        if self.holds == "sparse" and len(set(self.numbers.shape)) > 1:
            _refuse_shape(self.numbers.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""
        found: np.dtype[Any] = self.numbers.dtype
        return found

    @property
    def n(self) -> int | None:
        """The side; None of a bare half, which may have several."""
        return None if self.holds == "half" else int(self.numbers.shape[0])

    @property
    def is_half(self) -> bool:
        """Whether these are the numbers of a dense half, with or without a description."""
        return self.holds == "half" or (self.holds == "store" and self.numbers.describe().triangle is None)


def _refuse_shape(shape: tuple[int, ...]) -> None:
    way = "for batches, np.load it and call vech.pack or vech.expand"
    if len(shape) == 2:
        way = "data, rows by columns, are for vech.covariance.sample (vech covariance)"
    raise ValueError(f"has shape {shape}: one square matrix (n, n) or one half (length,) fits; {way}")


def sparse_half(matrix: Any, kind: str | None, labels: tuple[Any, ...] | None = None) -> SparseHalf:
    """Keep the lower triangle of a sparse matrix, as use="both" says; coordinates may have any side."""
    if matrix.format == "coo" and matrix.shape[0] == matrix.shape[1]:
        entries = (matrix.row, matrix.col, matrix.data)
        return SparseHalf.from_coo(*entries, matrix.shape[0], kind=kind, labels=labels)
    return SparseHalf.from_sparse(matrix, kind=kind, labels=labels)


def odd_entry(rows: Array, columns: Array, values: Array, kind: str) -> int | None:
    """The first entry at a place of the diagonal whose number, entries summed, this kind has not there."""
    on = np.flatnonzero(rows == columns)
    left_out = Kind(kind).of(values.dtype).negated.settled(values[on])
    if not left_out.any():
        return None
    places, place = np.unique(rows[on], return_inverse=True)
    sums = np.zeros(len(places), left_out.dtype)
    np.add.at(sums, place, left_out)
    odd = np.flatnonzero((np.abs(sums) > 0)[place])
    return int(on[odd[0]]) if odd.size else None


def odd_diagonal(kind: str, number: Any, i: int) -> str:
    """What is wrong with such an entry, which `pack` refuses too."""
    return f"is {kind} and has {number} on its diagonal, in row {i + 1}: that is not its own mirror"
