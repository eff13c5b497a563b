"""Zip archives of arrays `.npz`: SciPy's sparse matrices, dense, sparse and quantized halves."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, BinaryIO, Unpack, cast

import numpy as np

from vech.arrays import INT32_MAX, Array
from vech.io.arrays import MAGIC, Header, read_header, read_numbers, refuse_objects
from vech.io.content import Abilities, Content
from vech.io.description import describe, describe_half, described_half, parse, parse_object
from vech.io.drafts import atomic
from vech.io.dtypes import dtype_name, forgettable
from vech.io.errors import FileFormatError, reading
from vech.io.gz import DEFLATES_TO
from vech.io.panels import How
from vech.layouts.layout import as_side
from vech.moves.foreign import judged
from vech.sparse import SparseHalf
from vech.store import Store

CAN = Abilities(
    expand=("csr", "csc"), write=("dense", "sparse", "quantized"), labels=True, options=("verify",)
)

INDICES: dict[str, tuple[str, ...]] = {name: ("indices", "indptr") for name in ("csr", "csc", "bsr")}
INDICES |= {"coo": ("row", "col", "coords"), "dia": ("offsets",)}
"""The arrays of each format of SciPy, beside its numbers, in the order that SciPy takes them in."""


STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED

LONG = 64 << 20
"""Bytes of a deflated text at most: labels of a million rows; vech itself stores them as they are."""

SMALL = 1 << 10
"""Names of arrays that an error shows, in letters."""


def load(path: Path, *, verify: bool = False) -> Content:
    """Load a half, a sparse half, or the sparse matrix that SciPy wrote; the archive's sums are compared."""
    with path.open("rb") as file, reading(path, "is no .npz file that vech reads"):
        return _load(file, path)


def _load(file: BinaryIO, path: Path) -> Content:
    if file.read(len(MAGIC)) == MAGIC:
        raise TypeError("this is a .npy file by another name")
    with zipfile.ZipFile(file) as archive:
        arrays = _Arrays(archive, path)
        keys = set(arrays.members)
        if {"vech_half", "vech_meta"} <= keys:
            text, header = arrays.text("vech_meta"), arrays.header("vech_half")
            if header.size > (most := _most_numbers(text)):
                raise FileFormatError(f"describes {most:,} numbers at most, and has {header.size:,}", path)
            return Content.of_store(described_half(arrays["vech_half"], parse_object(text, path), path))
        if {"vech_indptr", "vech_indices", "vech_data", "vech_meta"} <= keys:
            return Content.of_store(_sparse_half(arrays, path))
        if {"vech_codes", "vech_meta"} <= keys:
            from vech.io.quantized import read

            return Content.of_store(read(arrays.text("vech_meta"), arrays, path))
        if {"format", "shape", "data"} <= keys:
            return Content.of_sparse(_scipy(arrays))
    names = ", ".join(sorted(keys)) or "none"
    raise FileFormatError(
        f"holds the arrays {names if len(names) <= SMALL else names[:SMALL] + '...'}: "
        f"neither a half of vech nor a sparse matrix of SciPy; np.load it, and use vech.pack or vech.Packed",
        path,
    )


class _Arrays:
    """The arrays of an archive by name, each unpacked when it is asked for, and never more than it says."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        self.members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in self.members:
                raise ValueError(f"it has {member.filename!r} twice")
            self.members[name] = member

    def __getitem__(self, name: str) -> Array:
        with self._open(name) as (stream, header):
            return read_numbers(stream, header)

    def header(self, name: str) -> Header:
        """What an array is, without unpacking it."""
        with self._open(name) as (_, header):
            return header

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], Header]]:
        """An array whose header agrees with what the archive says of its size."""
        member = self.members[name]
        self._judge(member)
        with self.archive.open(member) as stream:
            try:
                header = read_header(stream)
                if header.end != member.file_size:
                    raise ValueError(
                        f"its header (dtype {header.dtype}, shape {header.shape}) says "
                        f"{header.end:,} bytes, and it has {member.file_size:,}"
                    )
                refuse_objects(header, self.path)
                yield stream, header
            except FileFormatError:
                raise
            except ValueError as error:
                raise ValueError(f"{member.filename!r}: {error}") from error

    def text(self, name: str) -> str:
        """The text in an array of one."""
        header, member = self.header(name), self.members[name]
        if header.shape or header.dtype.kind not in "US":
            raise ValueError(
                f"{name!r} has dtype {header.dtype} and shape {header.shape}, and must be one text"
            )
        if member.compress_type == DEFLATED and member.file_size > LONG:
            raise ValueError(
                f"{name!r} unpacks to {member.file_size:,} bytes: save texts of more than {LONG:,} stored"
            )
        found = self[name].item()
        return found if isinstance(found, str) else found.decode()

    def _judge(self, member: zipfile.ZipInfo) -> None:
        """Refuse what holds less than it says: memory is taken for what it says."""
        name, packed, size = member.filename, member.compress_size, member.file_size
        if member.flag_bits & 1:
            raise ValueError(f"{name!r} is encrypted")
        if member.compress_type not in (STORED, DEFLATED):
            raise ValueError(
                f"{name!r} is packed by method {member.compress_type}: 0 (stored) and 8 (deflated) fit"
            )
        most = packed if member.compress_type == STORED else DEFLATES_TO * (packed + 1)
        if packed > self.path.stat().st_size or size > most:
            raise ValueError(f"{name!r} says {size:,} bytes in {packed:,}, which cannot be")


def write(path: Path, store: Any, *, overwrite: bool = True) -> None:
    """Write a half, dense, sparse or quantized, under keys that SciPy does not take for a whole matrix."""
    described = store.describe()
    if described.encoding is not None:
        from vech.io.quantized import arrays_of

        arrays = arrays_of(store)
    elif described.triangle is None:
        arrays = {"vech_half": forgettable(store.half), "vech_meta": np.asarray(describe_half(store))}
    else:
        arrays = _arrays(store) | {"vech_meta": np.asarray(describe(store, triangle=store.triangle))}
    with atomic(path, overwrite) as file:
        np.savez(file, **cast("dict[str, Any]", arrays))


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the whole matrix as SciPy's save_npz does, not compressed, as CSR or CSC."""
    from scipy.sparse import save_npz

    matrix = (store.to_csc if to == "csc" else store.to_csr)(threads=how.get("threads"))
    with atomic(path, overwrite) as file:
        save_npz(file, matrix, compressed=False)


def _arrays(store: SparseHalf) -> dict[str, Array]:
    """The CSR arrays of the triangle; of more rows than 32 bits count, of those that hold numbers."""
    if store.n <= INT32_MAX:
        return {"vech_indptr": store.indptr, "vech_indices": store.indices, "vech_data": store.data}
    rows, columns = store.to_coo(part=store.triangle).coords
    places = np.union1d(rows, columns)
    counts = np.bincount(np.searchsorted(places, rows), minlength=places.size)
    return {
        "vech_places": places,
        "vech_indptr": np.concatenate(([0], np.cumsum(counts))),
        "vech_indices": np.searchsorted(places, columns),
        "vech_data": store.data,
    }


def _most_numbers(text: str) -> int:
    """The numbers of a half at most, by its description, before they are unpacked: see `described_half`."""
    try:
        n = json.loads(text)["n"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0
    return n * (n + 1) // 2 if isinstance(n, int) else 0


def _check_sizes(arrays: _Arrays, names: Iterable[str], pointers: str, rows: int | None) -> None:
    """Arrays of one length, and pointers to rows: before they are unpacked, as others could be large."""
    sizes = {name: arrays.header(name).size for name in names}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"its arrays differ in length: {sizes}")
    if rows is not None and (found := arrays.header(pointers).size) != rows + 1:
        raise ValueError(f"{pointers} has {found:,} numbers, and {rows + 1:,} are needed")


def _sparse_half(arrays: _Arrays, path: Path) -> SparseHalf:
    fields = parse(arrays.text("vech_meta"), path, ("triangle", "kind", "n", "dtype"))
    rows = arrays.header("vech_places").size if "vech_places" in arrays.members else as_side(fields["n"])
    _check_sizes(arrays, ("vech_indices", "vech_data"), "vech_indptr", rows)
    indptr, indices, data = (arrays[f"vech_{name}"] for name in ("indptr", "indices", "data"))
    if dtype_name(data.dtype) != fields["dtype"]:
        raise FileFormatError(
            f"says dtype {fields['dtype']}, and its data have {dtype_name(data.dtype)}", path
        )
    options = {name: fields[name] for name in ("triangle", "kind")}
    if "vech_places" not in arrays.members:
        return SparseHalf(indptr, indices, data, fields["n"], labels=fields.get("labels"), **options)
    places = arrays["vech_places"]
    held = SparseHalf(indptr, indices, data, places.size, **options)
    if places.ndim != 1 or places.dtype.kind not in "iu" or np.any(places[1:] <= places[:-1]):
        raise FileFormatError("has vech_places that do not ascend", path)
    rows, columns = (places[axis] for axis in held.to_coo(part=held.triangle).coords)
    labels = fields.get("labels")
    return SparseHalf.from_coo(rows, columns, data, fields["n"], use=held.triangle, labels=labels, **options)


def _scipy(arrays: _Arrays) -> Any:
    """The matrix that SciPy wrote, judged before SciPy sees its arrays."""
    from scipy import sparse

    form, header = arrays.text("format"), arrays.header("shape")
    if form not in INDICES:
        raise ValueError(f"it says the format {form!r}: {', '.join(INDICES)} fit")
    if header.shape != (2,) or header.dtype.kind not in "iu":
        raise ValueError(f"its shape has dtype {header.dtype} and shape {header.shape}: two integers fit")
    rows, columns = (int(side) for side in arrays["shape"])
    if not 0 <= min(rows, columns) <= max(rows, columns) <= np.iinfo(np.int64).max:
        raise ValueError(f"its shape is {rows} x {columns}")
    if form == "dia":
        width = arrays.header("data").size // max(1, arrays.header("offsets").size)
        if width > max(rows, columns):
            raise ValueError(
                f"its diagonals have {width:,} numbers each, and the matrix has {rows} x {columns}"
            )
    elif form == "coo" and "coords" not in arrays.members:
        _check_sizes(arrays, ("data", "row", "col"), "", None)
    elif form in ("csr", "csc"):
        _check_sizes(arrays, ("data", "indices"), "indptr", rows if form == "csr" else columns)
    given: dict[str, Any] = {name: _signed(arrays[name]) for name in INDICES[form] if name in arrays.members}
    if form == "coo":
        given = {"coords": tuple(given["coords"] if "coords" in given else (given["row"], given["col"]))}
    held = judged(SimpleNamespace(format=form, shape=(rows, columns), data=arrays["data"], **given))
    if not isinstance(held, SimpleNamespace):
        return held
    make = getattr(sparse, f"{form}_array")
    return make((held.data, *given.values()), shape=held.shape)


def _signed(indices: Array) -> Array:
    """Indices as SciPy takes them without a warning: those beyond 63 bits become negative."""
    return indices.astype(np.int64) if indices.dtype.kind == "u" else indices
