"""Files in and out: one module of this folder and one row of `FORMATS` per file format, chosen by suffix."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Unpack, cast

import numpy as np

from vech.io.content import Abilities, Content, parted, sparse_half
from vech.io.dtypes import as_dtype, dtype_name
from vech.io.errors import NO_DIGEST, FileFormatError, naming, naming_faults, ordinary
from vech.io.info import could_be
from vech.io.panels import How, Progress
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import resolve_kind
from vech.layouts.layout import other_diagonal
from vech.moves import packing
from vech.moves.judging import AsymmetryError
from vech.packed.packed import Packed, packed
from vech.sparse import SparseHalf
from vech.sparse.pack import from_sparse
from vech.store import Store, way_to_store

__all__ = [
    "FORMATS",
    "FileFormatError",
    "Table",
    "examine",
    "expand",
    "iter_table",
    "load",
    "pack",
    "read",
    "read_table",
    "read_variants",
    "write",
    "write_table",
]

_LATER = dict.fromkeys(("Table", "iter_table", "read_table", "write_table"), "tables")
_LATER |= {"read_variants": "magenpy"}
"""What is loaded when it is first asked for, and where it is."""


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"vech.io.{_LATER[name]}"), name)
    raise AttributeError(f"module 'vech.io' has no attribute {name!r}")


class Format(Protocol):
    """What a module of this folder offers."""

    __name__: str
    CAN: Abilities

    def load(self, path: Path, **options: Any) -> Content: ...

    def write(self, path: Path, store: Store, *, overwrite: bool, **options: Any) -> None: ...

    def expand(self, path: Path, store: Store, to: str, *, overwrite: bool, **how: Unpack[How]) -> None: ...


TEXT = {".mtx": "matrix_market", ".phy": "phylip", ".phylip": "phylip", ".grm": "grm_text"}
TEXT |= dict.fromkeys((".csv", ".tsv", ".txt"), "delimited_matrix")
TEXT |= dict.fromkeys((".rel", ".king", ".dist", ".mdist", ".mibs"), "plink_text")
#: The module of this folder that serves a suffix, of which the longest counts; imported when it is needed.
FORMATS = {".npy": "npy", ".npz": "npz", ".bin": "raw"} | TEXT
FORMATS |= {f"{suffix}.gz": module for suffix, module in TEXT.items()}
FORMATS |= {f".{name}.bin": "plink" for name in ("grm", "grm.n", "rel", "king", "dist", "mdist", "mibs")}
FORMATS |= {
    f".{name}": "harwell_boeing" for name in ("hb", "rb", "rsa", "rua", "psa", "pua", "csa", "cua", "cha")
}
FORMATS |= {
    "fcidump": "fcidump",
    ".fchk": "fchk",
    ".fch": "fchk",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".zarr": "zarr",
    ".ld.zarr": "magenpy",
    ".zip": "magenpy",
    ".bm": "hail",
    ".cool": "cooler",
    ".mcool": "coolers",
    ".scool": "coolers",
}
FORMATS |= {".parquet": "parquet", ".feather": "parquet", ".xlsx": "excel", ".xlsm": "excel"}
USUAL = (".npy", ".npz", ".mtx", ".csv", ".h5", ".zarr", ".parquet", ".xlsx")
"""What an error offers to who names a suffix like none of them."""

URL = "://"

NUMBERED = re.compile(r"\.[0-9]+$")

BY_CONTENT: dict[str, tuple[str, ...]]
BY_CONTENT = dict.fromkeys(("delimited_matrix", "plink_text"), ("phylip", "r_print"))
BY_CONTENT["zarr"] = ("magenpy",)
"""The modules that share the suffixes of another, and recognise their files by what is in them."""


def read(
    path: str | os.PathLike[str],
    *,
    layout: str | AnyLayout | None = None,
    kind: str | None = None,
    dtype: Any = None,
    n: int | None = None,
    verify: bool = False,
    **options: Any,
) -> Packed | SparseHalf:
    """Read one symmetric matrix from a file, by its suffix.

    Parameters
    ----------
    path : path
        `.npy`, `.npz`, `.bin`, `.mtx`, text and tables of other programs, HDF5, Zarr and more: docs/files.md
        has all, and what each may hold. What is inside a file is named behind "::": "file.h5::/path",
        "file.xlsx::Sheet". A store of tiles may have a URL.
    layout : name or Layout, optional
        What the numbers of a half are where the file does not say it: a 1-D `.npy` without its JSON, a
        `.bin`. For a full dense matrix, the layout to pack it into ("vech" unless told otherwise). Where the
        file says it, it must agree.
    kind : str, optional
        "symmetric", "hermitian", "skew" or "skew-hermitian"; complex numbers need it unless the file says it.
    dtype : dtype or name, optional
        Needed for `.bin`, byte order included ('<f8', '>f4', 'bfloat16'). Elsewhere it must agree, nothing is
        cast; of a `.npy` of ml_dtypes, whose dtype np.save forgets, it names the dtype.
    n : int, optional
        The side. n x n numbers of a `.bin` are a full matrix; elsewhere it must agree.
    verify : bool, default False
        Compare all numbers of a memory-mapped half with the digest in its description, at the speed of memory
        or of the disk. Of a map it is else 16 MiB that are compared, or three tiles; what is read into memory
        is always compared. A file without a digest is then an error.
    **options
        What single file formats take beside. Of tables in text: ``sep``, ``decimal`` and ``encoding``, text;
        ``header`` and ``labels``, whether the first line names the columns and the first cells the rows,
        where that is not seen. Of PHYLIP: ``names``, "strict" or "relaxed". Of cooler: ``balance``, True or
        the name of a column of weights to multiply by, and ``field``, the column of pixels, "count" unless
        said. Others are a TypeError.

    Returns
    -------
    Packed, SparseHalf, Quantized or Tiled
        Dense or sparse content, few bits a number, or a store of tiles, of which none is read yet: so are
        blocks of Hail, parts of GCTA and LD stores that would take more than a quarter of the memory. A half
        of 64 MiB or more in `.npy` or `.bin`, GCTA's and PLINK's too, is memory-mapped, read-only.

    Raises
    ------
    FileFormatError
        The file is damaged, or not what its description or the arguments say; numbers that another program
        wrote over those that are described; a 1-D file without its layout
        (the message lists what it could be); a full matrix that is not symmetric.
    ValueError
        Complex numbers without `kind`; an unknown suffix.
    OSError
        It cannot be opened.

    Notes
    -----
    Full matrices are checked as by ``vech.pack(use="both")`` and need memory for their half.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "full.npy")
    >>> np.save(path, np.array([[1.0, 2.0], [2.0, 5.0]]))
    >>> vech.read(path).half
    array([1., 2., 5.])
    """
    wanted = None if layout is None else as_layout(layout)
    if URL in str(path):
        content = import_module("vech.io.zarr").load_url(str(path), verify=verify)
        _agree("dtype", dtype and str(as_dtype(dtype)), str(content.dtype), Path(path))
    else:
        content = examine(path, layout=wanted, dtype=dtype, n=n, verify=verify, **options)
    path = Path(path)
    store = _store(content, wanted, kind, n, path)
    held = store.describe()
    if held.layout is not None:
        found_layout = held.layout.name
    elif wanted is None:
        found_layout = ""
    else:
        what = "sparse" if held.triangle else "quantized" if held.encoding else "in tiles"
        raise FileFormatError(
            f"is {what}, which has no layout: leave layout= (--layout) out; "
            "its to_packed() (vech convert --to) makes a half",
            path,
        )
    _agree("layout", wanted and wanted.name, found_layout, path)
    return store


def write(path: str | os.PathLike[str], store: Store, *, overwrite: bool = True, **options: Any) -> None:
    """Write a store, by the suffix of `path`; an existing file is overwritten, in one step.

    Parameters
    ----------
    path : path
        `.npy` (a Packed; `path` + ".json" beside it says layout, kind, n and dtype), `.npz`, `.bin` (a
        Packed, the bare numbers), `.mtx` (the lower half with its symmetry named), `.csv` (the full matrix
        with its labels) and others that docs/files.md lists. Where files travel, `.npz`. A dataset of HDF5 or
        Zarr is named behind "::", and what else the file holds stays; `.zarr` alone is a `vech.Tiled`.
    store : Packed, SparseHalf, Quantized or Tiled
        What to write; of a Quantized `.npz` keeps codes and certificate, all others its numbers. Of what
        `vech.quantized.outliers`, `low_rank` and `hadamard` give all keep numbers alone: pickle it. `.npy`,
        `.npz`, HDF5 and Zarr keep labels of any usual type, others those that they can; `.bin` and `.mtx`
        have no place for them and refuse it.
    overwrite : bool, default True
        False: a file that is there, or appears while this one is written, stays, and is a FileExistsError.
    **options
        Of tables in text: ``sep``, the mark between cells ("," in `.csv`, else a tab), and ``decimal``. Of a
        store of tiles: ``tile`` and ``compression``, as for `vech.tiled.create`. Of an LD store of magenpy,
        `.ld.zarr` or `.zip`: ``encoding``, "int8" unless told, "int16", "float32" or "float64"; ``window``,
        how many variants behind each are kept; ``threshold``, below which correlations become zero; and
        ``variants``, what its rows are: columns by name, or what `vech.io.read_variants` gave.

    Raises
    ------
    TypeError, ValueError
        The file format cannot hold it: the message names one that can. An option that it does not take.
    OSError
        It cannot be written. What was there is as before then, and nothing else is left behind.

    Notes
    -----
    Readers, and whoever looks after a crash, find the old matrix or the new one. docs/files.md says how.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "half.npy")
    >>> vech.write(path, vech.Packed(np.array([1.0, 2.0, 5.0]), "numpy-tril"))
    >>> vech.read(path).layout == vech.as_layout("numpy-tril")
    True
    """
    url, path = str(path), Path(path)
    can = (form := file_format(path)).CAN
    if not isinstance(store, Store):
        way_out = (
            way_to_store(store) or "vech.Packed.from_full(matrix) or vech.Packed(half, layout) makes one"
        )
        raise TypeError(f"write takes a store, not {type(store).__name__}: {way_out}")
    if not can.write:
        raise ValueError(
            f"{path}: {suffix_of(path)} is read and not written: write {_able(lambda can: can.write)}"
        )
    given = {name: value for name, value in options.items() if value is not None}
    if unknown := [name for name in given if name not in can.write_options]:
        raise TypeError(f"{path}: {suffix_of(path)} is written without {unknown[0]}=: leave it out")
    described = store.describe()
    if described.labels is not None and not can.labels:
        raise ValueError(
            f"{path}: {suffix_of(path)} has no place for labels: write {_able(lambda can: can.labels)}, "
            f"or S.with_labels(None), without them"
        )
    if "any" in can.write or (described.encoding is not None and "quantized" in can.write):
        pass
    elif described.triangle is None:
        store = packed(store)
    elif "sparse" not in can.write:
        raise TypeError(
            f"{path}: {suffix_of(path)} holds a dense half, and this is a {type(store).__name__}: "
            "write .npz or .mtx, or its to_packed()"
        )
    if URL in url:
        if form.__name__ != "vech.io.zarr":
            raise ValueError(f"{url}: a URL is for stores of tiles: name.zarr")
        import_module("vech.io.zarr").write_url(url, store, overwrite=overwrite, **given)
        return
    with naming_faults(path):
        form.write(path, store, overwrite=overwrite, **given)


def expand(
    path: str | os.PathLike[str],
    store: Packed | SparseHalf,
    *,
    to: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    overwrite: bool = True,
) -> None:
    """Write the full matrix of a store to a file; where dense, in panels of rows, in bounded memory.

    Parameters
    ----------
    path : path
        `.npy` or `.bin` for a dense matrix, `.npz` for SciPy's CSR or CSC, `.mtx` for any of them (the lower
        half with its symmetry named, which every reader expands). An existing file is overwritten, in one
        step.
    store : Packed or SparseHalf
        What to expand, for example from `read`, which maps large halves: those may be larger than memory.
    to : "dense", "csr" or "csc", optional
        Told by the suffix unless said: dense for `.npy` and `.bin`, csr for `.npz` and `.mtx`.
    threads : int, optional
        As for `vech.expand`.
    progress : function of two ints, optional
        Called with the bytes done and the bytes in all while a dense `.npy` or `.bin` goes out.
    overwrite : bool, default True
        As of `write`.

    Raises
    ------
    ValueError
        The suffix says one thing and `to` another.
    OSError
        It cannot be written; the disk has not room for it, which is known before the work where the system
        can reserve space. Nothing is left behind then.

    Warns
    -----
    UserWarning
        Labels are left out, for which full matrices in this file format have no place.

    Notes
    -----
    A panel takes 1 GiB at most, or an eighth of the memory there is; CSR and CSC are made in memory.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "full.npy")
    >>> vech.io.expand(path, vech.Packed(np.array([1.0, 2.0, 5.0])))
    >>> np.load(path)
    array([[1., 2.],
           [2., 5.]])
    """
    path = Path(path)
    to = expands_to(path, to)
    form = file_format(path)
    if store.labels is not None and not form.CAN.full_labels:
        warnings.warn(
            f"{path}: a full matrix in {suffix_of(path)} has no place for labels, which are left out: "
            f"{_able(lambda can: can.full_labels)} keep them",
            stacklevel=2,
        )
    with naming_faults(path):
        form.expand(path, store, to, threads=threads, progress=progress, overwrite=overwrite)


def pack(
    path: str | os.PathLike[str],
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
    dtype: Any = None,
    n: int | None = None,
    threads: int | None = None,
    **options: Any,
) -> Packed:
    """Pack the full matrix in a file: `vech.pack` of dense, `vech.from_sparse` of sparse content.

    Parameters
    ----------
    path : path
        A 2-D `.npy`, SciPy's `.npz`, any `.mtx` of coordinates, a `.bin` with `dtype` and `n`.
    layout, kind, use, tolerance, threads
        As of `vech.pack`.
    dtype, n, **options
        As of `read`.

    Returns
    -------
    Packed
        In `layout`.

    Raises
    ------
    FileFormatError
        As of `read`, for a file that holds a dense half already, and where `vech.pack` raises a ValueError.
    TypeError
        As of `vech.pack`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "full.npy")
    >>> np.save(path, np.array([[1, 2], [3, 5]]))
    >>> vech.io.pack(path, use="lower").half
    array([1, 3, 5])
    """
    path, layout = Path(path), as_layout(layout)
    content = examine(path, dtype=dtype, n=n, **options)
    full = content.numbers
    if content.holds == "half" and n in (0, 1) and full.size == n:
        full = full.reshape(n, n)  # bare numbers, which are a half as well
    elif content.is_half:
        raise FileFormatError(
            "holds a half, and a full matrix was wanted: vech.convert (vech convert) changes its layout",
            path,
        )
    kind = _agreed_kind(content, kind, path)
    if content.holds == "store":
        full = full.to_csr()
    move = from_sparse if content.holds in ("sparse", "store") else packing.pack
    with naming(path), _telling_options(content, path):
        half = move(full, layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
    return Packed(half, layout, kind=kind, labels=content.labels)


def load(path: str | os.PathLike[str], **options: Any) -> Any:
    """Load the numbers that a file holds, before anything is believed about them.

    Parameters
    ----------
    path : path
        As of `read`.
    **options
        dtype, n, verify and what else `read` takes, but for layout and kind.

    Returns
    -------
    Packed or SparseHalf
        A half that the file describes.
    array, 1-D
        A half without a description.
    array, 2-D, or SciPy sparse matrix
        A full matrix, symmetric or not. `examine` gives its labels too.

    Raises
    ------
    FileFormatError
        The file is damaged, or not what its description, `dtype` or `n` say.
    ValueError
        An unknown suffix.
    OSError
        It cannot be opened.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "full.npy")
    >>> np.save(path, np.array([[1, 2], [3, 5]]))
    >>> vech.io.load(path).shape
    (2, 2)
    """
    return examine(path, **options).numbers


def examine(
    path: str | os.PathLike[str],
    *,
    layout: AnyLayout | None = None,
    dtype: Any = None,
    n: int | None = None,
    verify: bool = False,
    **options: Any,
) -> Content:
    """Say what a file holds, before anything is believed about it.

    Parameters
    ----------
    path : path
        As of `read`.
    layout : Layout, optional
        Of a triangle in text, where that could be with its diagonal or without.
    dtype, n, verify, **options
        As of `read`.

    Returns
    -------
    Content
        What it holds ("store", "half", "full" or "sparse"), the numbers, and what the file says of them.

    Raises
    ------
    FileFormatError, ValueError, OSError
        As of `load`.
    TypeError
        An option that this file format does not take.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import vech
    >>> path = pathlib.Path(tempfile.mkdtemp(), "full.npy")
    >>> np.save(path, np.array([[1, 2], [3, 5]]))
    >>> vech.io.examine(path).holds
    'full'
    """
    path = Path(path)
    given = {name: value for name, value in options.items() if value is not None}
    if not path.is_dir() and not file_format(path).CAN.pipes:
        ordinary(parted(path)[0])
    can = (form := _recognised(path, given)).CAN
    if path.is_dir() and not can.folders:
        raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
    if unknown := [name for name in given if name not in can.options]:
        raise TypeError(f"{path}: {suffix_of(path)} has no {unknown[0]}=: leave it out")
    if verify and "verify" not in can.options:
        raise FileFormatError(NO_DIGEST, path)
    named = None if dtype is None else as_dtype(dtype)
    given |= {"dtype": named, "n": n, "verify": verify, "layout": layout}
    with naming(path):
        content = form.load(path, **{name: given[name] for name in can.options if name in given})
        content.check_square()
    _agree("dtype", named and dtype_name(named), dtype_name(content.dtype), path)
    if content.n is not None:
        _agree("n", n, content.n, path)
    return content


def file_format(path: Path) -> Format:
    """Choose by suffix; the ValueError for an unknown one names those nearest to it, or usual ones."""
    suffix = suffix_of(path)
    module = FORMATS.get(suffix)
    if module is None:
        import difflib  # a millisecond that only errors need to spend

        near = difflib.get_close_matches(suffix.lower(), FORMATS, n=3)
        usual = f"choose from {', '.join(USUAL)}, or another of vech convert --help"
        hint = f"did you mean {' or '.join(near)}?" if near else usual
        came = f"the suffix {suffix!r} is of no file format" if suffix else "no suffix says which file format"
        raise ValueError(f"{path.name or path}: {came}: {hint}")
    return cast(Format, import_module(f"vech.io.{module}"))


def _recognised(path: Path, given: dict[str, Any]) -> Format:
    """Choose by suffix; of several formats, the first that recognises the file and takes `given`."""
    if path.is_dir() and suffix_of(path) not in FORMATS:
        nameless = import_module("vech.io.magenpy")  # as the program calls its folders
        if nameless.recognises(path):
            return cast(Format, nameless)
    form = file_format(path)
    if path.exists():
        for module in BY_CONTENT.get(form.__name__.rpartition(".")[2], ()):
            other = import_module(f"vech.io.{module}")
            if given.keys() <= set(other.CAN.options) and other.recognises(path, given.get("encoding")):
                return cast(Format, other)
    return form


def suffix_of(path: Path) -> str:
    """The longest suffix that is a file format's, in small letters; else what is behind the last dot."""
    name = parted(path)[0].name
    bare = name.removeprefix(".").lower()  # a name that is nothing else is no suffix
    piece = NUMBERED.sub("", bare)  # "x.rel.bin.1" is a piece of "x.rel.bin"
    known = [s for s in FORMATS if bare.endswith(s) or (FORMATS[s] == "plink" and piece.endswith(s))]
    return max(known, key=len, default=Path(name).suffix)


def _able(fits: Callable[[Abilities], object]) -> str:
    """The suffixes of file formats that can do something, one for each."""
    usual = {module: suffix for suffix, module in reversed(FORMATS.items())}
    return ", ".join(
        suffix for suffix in reversed(usual.values()) if fits(file_format(Path(f"any{suffix}")).CAN)
    )


def written() -> list[str]:
    """The suffixes that `write` writes, the usual one of each file format."""
    return _able(lambda can: can.write).split(", ")


def expands_to(path: Path, to: str | None = None) -> str:
    """Say as what a file holds a full matrix, "dense", "csr" or "csc"; ValueError if it cannot be `to`."""
    holds = file_format(path).CAN.expand
    if not holds:
        raise ValueError(
            f"{path.name}: {suffix_of(path)} is not for full matrices: write {_able(lambda can: can.expand)}"
        )
    if to is None or to in holds:
        return to or holds[0]
    fitting = _able(lambda can: to in can.expand)
    if not fitting:
        raise ValueError(f"to={to!r} is none of 'dense', 'csr', 'csc'")
    raise ValueError(
        f"{path.name} cannot hold {to}: {suffix_of(path)} is for {', '.join(holds)}, "
        f"and {to} goes to {fitting}"
    )


def _store(
    content: Content, layout: AnyLayout | None, kind: str | None, n: int | None, path: Path
) -> Packed | SparseHalf:
    """Make a store of what was loaded."""
    numbers, labels = content.numbers, content.labels
    kind = _agreed_kind(content, kind, path)
    if content.holds == "store":
        return cast("Packed | SparseHalf", numbers)
    with naming(path), _telling_pack(content, path):
        resolve_kind(kind, content.dtype, moves=False)
        if content.holds == "sparse":
            return sparse_half(numbers, kind, labels)
        if content.holds == "full":
            into = layout or content.layout or as_layout("vech")
            return Packed(packing.pack(numbers, into, kind=kind), into, kind=kind, labels=labels)
        if layout is None:
            raise ValueError(_bare(len(numbers), numbers.dtype))
        if n is not None and len(numbers) != layout.length(n):
            raise ValueError(
                f"holds {len(numbers):,} numbers, and n={n} needs {layout.length(n):,} in layout "
                f"{layout.name} ({layout.length(n) * numbers.itemsize:,} bytes)"
                f"{other_diagonal(layout, len(numbers), n)}"
            )
        return Packed(numbers, layout, kind=kind, labels=labels)


def _agreed_kind(content: Content, kind: str | None, path: Path) -> str | None:
    """The kind that the file says, or else the one that is asked for."""
    if content.kind is None:
        return kind
    _agree("kind", kind and resolve_kind(kind, content.dtype, moves=False), content.kind, path)
    return content.kind


@contextmanager
def _telling_pack(content: Content, path: Path) -> Iterator[None]:
    """Tell who reads a matrix of two triangles where one of them can be chosen: `read` takes none."""
    try:
        yield
    except AsymmetryError as error:
        use = error.own or "lower"
        way = f"vech.io.pack(path, use={use!r}) (vech pack --use {use}) takes the {use} triangle for both"
        if content.holds == "sparse":
            way += f", and SparseHalf.from_sparse(vech.io.load(path), use={use!r}) keeps it sparse"
        elif error.own is None:
            way += "; there are upper, mean and a tolerance too"
        raise FileFormatError(f"{error.found}; {way}", path, _line(content, error)) from error


@contextmanager
def _telling_options(content: Content, path: Path) -> Iterator[None]:
    """Tell the options of `vech pack` beside the arguments of `pack`."""
    try:
        yield
    except AsymmetryError as error:
        raise FileFormatError(f"{error} (--use, --tolerance)", path, _line(content, error)) from error


def _line(content: Content, error: AsymmetryError) -> int | None:
    """Where in a text the row is that the error names."""
    return None if content.lines is None or error.row is None else content.lines[error.row]


def _bare(length: int, dtype: np.dtype[Any]) -> str:
    """Say what a half without its layout could be."""
    sides: dict[int, list[str]] = {}
    for name, _, n in could_be(length, dtype):
        sides.setdefault(n, []).append(name)
    if not sides:
        as_layout("vech").side(length)
    choices = "; ".join(f"n={n}: {', '.join(names)}" for n, names in sides.items())
    return (
        f"holds {length:,} numbers and does not say which. It could be {choices}. Say layout= (--layout); "
        f"vech identify may tell, given the matrix or some entries"
    )


def _agree(name: str, wanted: Any, found: Any, path: Path) -> None:
    """Refuse an argument that the file contradicts."""
    if wanted is not None and wanted != found:
        raise FileFormatError(
            f"has {name} {found}, and {name}={wanted} was asked for: leave {name} out, "
            f"or say what the file says",
            path,
        )
