"""vech: each number of a symmetric matrix once, and the full matrix from it at the speed of memory."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from vech import _core, io, sparse
from vech._core import __version__
from vech.dialects import DIALECTS, as_layout
from vech.identify import identify
from vech.io import read, write
from vech.layout import Layout
from vech.moves import convert, expand, pack
from vech.orders import RectangularFullPacked, Spiral, TensorOrder
from vech.packed import Packed
from vech.scan import nonzeros, to_coo, to_csc, to_csr
from vech.sparse import SparseHalf
from vech.sparse.pack import from_sparse
from vech.store import Store

if TYPE_CHECKING:
    from vech import covariance, images, linalg, pairwise, plot

__all__ = [
    "DIALECTS",
    "Layout",
    "Packed",
    "RectangularFullPacked",
    "SparseHalf",
    "Spiral",
    "Store",
    "Targets",
    "TensorOrder",
    "__version__",
    "as_layout",
    "convert",
    "covariance",
    "expand",
    "from_sparse",
    "identify",
    "images",
    "io",
    "linalg",
    "nonzeros",
    "pack",
    "pairwise",
    "plot",
    "read",
    "sparse",
    "targets",
    "to_coo",
    "to_csc",
    "to_csr",
    "write",
]


class Targets(NamedTuple):
    """Instruction sets: all in this build and those this processor runs, best first, and the one in use."""

    compiled: tuple[str, ...]
    supported: tuple[str, ...]
    active: str


def targets() -> Targets:
    """The instruction sets of the kernels; VECH_TARGET in the environment chooses one.

    Returns
    -------
    Targets
        Names, the best one first.

    Examples
    --------
    >>> targets().active in targets().supported
    True
    """
    return Targets(*_core.targets())


# What other libraries call what vech does, and the call that does it.
_ELSEWHERE = {
    "vech": "vech.pack(matrix)",
    "half_vectorize": "vech.pack(matrix)",
    "unvech": "vech.expand(half)",
    "invvech": "vech.expand(half)",
    "ivech": "vech.expand(half)",
    "xpnd": "vech.expand(half)",
    "vech2mat": "vech.expand(half)",
    "unpack": "vech.expand(half, layout)",
    "full": "vech.expand(half, layout)",
    "to_dense": "vech.expand(half, layout)",
    "todense": "vech.expand(half, layout)",
    "toarray": "vech.expand(half, layout)",
    "squareform": "vech.expand(half, 'condensed'), or vech.pack(matrix, 'condensed') for the way back",
    "condensed": "vech.pack(matrix, 'condensed')",
    "svec": "vech.pack(matrix, 'svec-lower') or vech.pack(matrix, 'svec-upper')",
    "smat": "vech.expand(half, 'svec-lower') or vech.expand(half, 'svec-upper')",
    "triu": "vech.pack(matrix, 'numpy-triu')",
    "tril": "vech.pack(matrix, 'numpy-tril')",
    "pack_tril": "vech.pack(matrix, 'numpy-tril')",
    "unpack_tril": "vech.expand(half, 'numpy-tril')",
    "trttp": "vech.pack(matrix, 'lapack-lower') or vech.pack(matrix, 'lapack-upper')",
    "tpttr": "vech.expand(half, 'lapack-lower') or vech.expand(half, 'lapack-upper')",
    "fill_triangular": "vech.expand(half, 'tfp-fill-triangular-lower', kind='triangular') or ...-upper",
    "sym_matrix_to_vec": "vech.pack(matrix, 'nilearn-sym-vec')",
    "vec_to_sym_matrix": "vech.expand(half, 'nilearn-sym-vec')",
    "coo": "vech.to_coo(half)",
    "csr": "vech.to_csr(half)",
    "csc": "vech.to_csc(half)",
    "load": "vech.read(path)",
    "save": "vech.write(path, store)",
}


# Modules that are loaded when they are first asked for: `import vech` stays quick.
_LATER = ("covariance", "images", "linalg", "pairwise", "plot")


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name in _LATER:
        return import_module(f"vech.{name}")
    if name in _ELSEWHERE:
        raise AttributeError(f"vech has no {name!r}: use {_ELSEWHERE[name]}")
    import difflib

    near = difflib.get_close_matches(name, __all__, n=1)
    raise AttributeError(
        f"module 'vech' has no attribute {name!r}" + (f": did you mean {near[0]!r}?" if near else "")
    )
