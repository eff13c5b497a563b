"""Files in and out: one module of this folder and one row of `FORMATS` per file format, chosen by suffix."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from vech.io.dtypes import as_dtype, dtype_name
from vech.io.files import FileFormatError, naming
from vech.io.panels import Progress
from vech.io.symmetric import sparse_half
from vech.layouts.dialects import DIALECTS, AnyLayout, as_layout
from vech.layouts.kind import resolve_kind
from vech.layouts.layout import other_diagonal
from vech.layouts.orders import Pieces
from vech.moves import packing
from vech.moves.judging import AsymmetryError
from vech.moves.nonzeros import sparse_dtype
from vech.packed.packed import Packed, packed
from vech.sparse import SparseHalf
from vech.sparse.pack import from_sparse
from vech.store import Store

__all__ = [
    "FORMATS",
    "FileFormatError",
    "Table",
    "expand",
    "iter_table",
    "load",
    "pack",
    "read",
    "read_table",
    "write",
    "write_table",
]

_TABLES = ("Table", "iter_table", "read_table", "write_table")  # loaded when they are first asked for


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _TABLES:
        return getattr(import_module("vech.io.tables"), name)
    raise AttributeError(f"module 'vech.io' has no attribute {name!r}")


class Format(Protocol):
    """What a module of this folder offers; HOLDS says as what it holds a full matrix, the usual way first."""

    HOLDS: tuple[str, ...]

    def load(self, path: Path, dtype: np.dtype[Any] | None, n: int | None, verify: bool) -> Any: ...

    def write(self, path: Path, store: Store, *, overwrite: bool) -> None: ...

    def expand(
        self,
        path: Path,
        store: Store,
        to: str,
        *,
        threads: int | None,
        progress: Progress | None,
        overwrite: bool,
    ) -> None: ...


FORMATS = {".npy": "npy", ".npz": "npz", ".bin": "raw", ".mtx": "matrix_market"}
"""The module of this folder that serves a suffix; it is imported when it is needed."""


def read(
    path: str | os.PathLike[str],
    *,
    layout: str | AnyLayout | None = None,
    kind: str | None = None,
    dtype: Any = None,
    n: int | None = None,
    verify: bool = False,
) -> Packed | SparseHalf:
    """Read one symmetric matrix from a file, by its suffix.

    Parameters
    ----------
    path : path
        `.npy`, `.npz`, `.bin` or `.mtx`; docs/files.md says what each may hold.
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

    Returns
    -------
    Packed or SparseHalf
        Dense or sparse content. A half of 64 MiB or more in `.npy` or `.bin` is memory-mapped, read-only.

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
    path = Path(path)
    wanted = None if layout is None else as_layout(layout)
    content = load(path, dtype=dtype, n=n, verify=verify)
    store = _store(content, wanted, kind, n, path)
    if (held := store.describe().layout) is not None:
        found_layout = held.name
    elif wanted is None:
        found_layout = ""
    else:
        raise FileFormatError(
            "is sparse, which has no layout: leave layout= (--layout) out, or take its to_packed()",
            path,
        )
    _agree("layout", wanted and wanted.name, found_layout, path)
    _agree("kind", kind and resolve_kind(kind, store.dtype, moves=False), store.kind, path)
    return store


def write(path: str | os.PathLike[str], store: Packed | SparseHalf, *, overwrite: bool = True) -> None:
    """Write a store, by the suffix of `path`; an existing file is overwritten, in one step.

    Parameters
    ----------
    path : path
        `.npy` (a Packed; `path` + ".json" beside it says layout, kind, n and dtype), `.npz`, `.bin` (a
        Packed, the bare numbers) or `.mtx` (the lower half with its symmetry named).
    store : Packed or SparseHalf
        What to write. `.npy` and `.npz` keep its labels, if they are text or numbers.
    overwrite : bool, default True
        False: a file that is there, or appears while this one is written, stays, and is a FileExistsError.

    Raises
    ------
    TypeError, ValueError
        The file format cannot hold it: the message names one that can.
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
    path = Path(path)
    form = file_format(path)
    if not isinstance(store, Store):
        raise TypeError(
            f"write takes a store, not {type(store).__name__}: vech.Packed(half, layout) makes one"
        )
    form.write(path, store if store.describe().triangle else packed(store), overwrite=overwrite)


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
    file_format(path).expand(path, store, to, threads=threads, progress=progress, overwrite=overwrite)


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
) -> Packed:
    """Pack the full matrix in a file: `vech.pack` of dense, `vech.from_sparse` of sparse content.

    Parameters
    ----------
    path : path
        A 2-D `.npy`, SciPy's `.npz`, any `.mtx` of coordinates, a `.bin` with `dtype` and `n`.
    layout, kind, use, tolerance, threads
        As of `vech.pack`.
    dtype, n
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
    content = load(path, dtype=dtype, n=n)
    labels = None
    if isinstance(content, np.ndarray) and n in (0, 1) and content.size == n:
        content = content.reshape(n, n)  # bare numbers, which are a half as well
    if isinstance(content, SparseHalf):
        _agree("kind", kind and resolve_kind(kind, content.dtype, moves=False), content.kind, path)
        content, kind, labels = content.to_csr(), content.kind, content.labels
    if isinstance(content, Packed) or content.ndim == 1:
        raise FileFormatError(
            "holds a half, and a full matrix was wanted: vech.convert (vech convert) changes its layout",
            path,
        )
    move = packing.pack if isinstance(content, np.ndarray) else from_sparse
    with naming(path), _telling_options():
        half = move(content, layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
    return Packed(half, layout, kind=kind, labels=labels)


def load(
    path: str | os.PathLike[str], *, dtype: Any = None, n: int | None = None, verify: bool = False
) -> Any:
    """Load what a file holds, before anything is believed about it.

    Parameters
    ----------
    path : path
        As of `read`.
    dtype, n, verify
        As of `read`.

    Returns
    -------
    Packed or SparseHalf
        A half that the file describes.
    array, 1-D
        A half without a description.
    array, 2-D, or SciPy sparse matrix
        A full matrix, symmetric or not.

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
    path = Path(path)
    form = file_format(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
    named = None if dtype is None else as_dtype(dtype)
    with naming(path):
        content = form.load(path, named, n, verify)
        if not isinstance(content, np.ndarray | Packed | SparseHalf):
            _check_sparse(content, path)
    if isinstance(content, np.ndarray) and (content.ndim not in (1, 2) or len(set(content.shape)) > 1):
        raise FileFormatError(
            f"has shape {content.shape}: one square matrix (n, n) or one half (length,) fits; "
            "for batches, np.load it and call vech.pack or vech.expand",
            path,
        )
    if dtype is not None:
        _agree("dtype", dtype_name(as_dtype(dtype)), dtype_name(content.dtype), path)
    if content.ndim == 2:
        _agree("n", n, content.shape[0], path)
    return content


def _check_sparse(matrix: Any, path: Path) -> None:
    """Refuse numbers that sparse arrays do not compute with."""
    try:
        sparse_dtype(matrix.dtype)
    except TypeError as error:
        raise FileFormatError(f"holds what vech does not take: {error}", path) from error


def could_be(length: int, dtype: np.dtype[Any]) -> list[tuple[str, AnyLayout, int]]:
    """List the layouts that a bare half of this length may plausibly have: name, layout, n."""
    fitting = []
    for layout in dict.fromkeys(DIALECTS.values()):
        if isinstance(layout, Pieces):  # whoever has these orders knows it
            continue
        if layout.scaled and dtype.kind not in "fcV":
            continue
        try:
            fitting.append((layout.name, layout, layout.side(length)))
        except ValueError:
            continue
    return fitting


def file_format(path: Path) -> Format:
    """Choose by suffix; the ValueError for an unknown one names those there are."""
    module = FORMATS.get(path.suffix.lower())
    if module is None:
        came = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ValueError(f"{path.name}: {came} is none of {', '.join(FORMATS)}")
    return cast(Format, import_module(f"vech.io.{module}"))


def expands_to(path: Path, to: str | None = None) -> str:
    """Say as what a file holds a full matrix, "dense", "csr" or "csc"; ValueError if it cannot be `to`."""
    holds = file_format(path).HOLDS
    if to is None or to in holds:
        return to or holds[0]
    fitting = [suffix for suffix in FORMATS if to in file_format(Path(f"any{suffix}")).HOLDS]
    if not fitting:
        raise ValueError(f"to={to!r} is none of 'dense', 'csr', 'csc'")
    raise ValueError(
        f"{path.name} cannot hold {to}: {path.suffix} is for {', '.join(holds)}, "
        f"and {to} goes to {', '.join(fitting)}"
    )


def _store(
    content: Any, layout: AnyLayout | None, kind: str | None, n: int | None, path: Path
) -> Packed | SparseHalf:
    """Make a store of what was loaded."""
    if isinstance(content, Packed | SparseHalf):
        return content
    with naming(path), _telling_pack(sparse=not isinstance(content, np.ndarray)):
        resolve_kind(kind, content.dtype, moves=False)
        if not isinstance(content, np.ndarray):
            return sparse_half(content, kind)
        if content.ndim == 2:
            into = as_layout("vech") if layout is None else layout
            return Packed(packing.pack(content, into, kind=kind), into, kind=kind)
        if layout is None:
            raise ValueError(_bare(len(content), content.dtype))
        if n is not None and len(content) != layout.length(n):
            raise ValueError(
                f"holds {len(content):,} numbers, and n={n} needs {layout.length(n):,} in layout "
                f"{layout.name} ({layout.length(n) * content.itemsize:,} bytes)"
                f"{other_diagonal(layout, len(content), n)}"
            )
        return Packed(content, layout, kind=kind)


@contextmanager
def _telling_pack(*, sparse: bool) -> Iterator[None]:
    """Tell who reads a matrix of two triangles where one of them can be chosen: `read` takes none."""
    try:
        yield
    except AsymmetryError as error:
        use = error.own or "lower"
        way = f"vech.io.pack(path, use={use!r}) (vech pack --use {use}) takes the {use} triangle for both"
        if sparse:
            way += f", and SparseHalf.from_sparse(vech.io.load(path), use={use!r}) keeps it sparse"
        elif error.own is None:
            way += "; there are upper, mean and tolerance= (--tolerance) too"
        raise ValueError(f"{error.found}; {way}") from error


@contextmanager
def _telling_options() -> Iterator[None]:
    """Tell the options of `vech pack` beside the arguments of `pack`."""
    try:
        yield
    except AsymmetryError as error:
        raise ValueError(f"{error} (--use, --tolerance)") from error


def _bare(length: int, dtype: np.dtype[Any]) -> str:
    """Say what a half without its layout could be."""
    sides: dict[int, list[str]] = {}
    for name, _, n in could_be(length, dtype):
        sides.setdefault(n, []).append(name)
    if not sides:
        as_layout("vech").side(length)
    choices = "; ".join(f"n={n}: {', '.join(names)}" for n, names in sides.items())
    return f"holds {length:,} numbers and does not say which. It could be {choices}. Say layout= (--layout); vech identify may tell, given the matrix or some entries"


def _agree(name: str, wanted: Any, found: Any, path: Path) -> None:
    """Refuse an argument that the file contradicts."""
    if wanted is not None and wanted != found:
        raise FileFormatError(
            f"has {name} {found}, and {name}={wanted} was asked for: leave {name} out, or say what the file says",
            path,
        )
