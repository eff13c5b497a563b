"""vech: each number of a symmetric matrix once, and the full matrix from it at the speed of memory."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from vech import _core, sparse
from vech._core import __version__
from vech.identify import identify
from vech.layouts.dialects import DIALECTS, as_layout
from vech.layouts.layout import Layout
from vech.layouts.orders import RectangularFullPacked, Spiral, TensorOrder
from vech.moves.converting import convert
from vech.moves.expanding import expand
from vech.moves.nonzeros import nonzeros, to_coo, to_csc, to_csr
from vech.moves.packing import pack
from vech.packed.packed import Packed
from vech.sparse import SparseHalf
from vech.sparse.pack import from_sparse
from vech.store import Store

if TYPE_CHECKING:
    from vech import (
        cluster,
        covariance,
        embedding,
        images,
        io,
        linalg,
        neighbors,
        pairwise,
        plot,
        quantized,
        tiled,
        viewer,
    )
    from vech.io import read, write
    from vech.quantized import ENCODINGS, Quantized, quantize
    from vech.tiled import Tiled
    from vech.viewer import view

__all__ = [
    "DIALECTS",
    "ENCODINGS",
    "Layout",
    "Packed",
    "Quantized",
    "RectangularFullPacked",
    "SparseHalf",
    "Spiral",
    "Store",
    "Targets",
    "TensorOrder",
    "Tiled",
    "__version__",
    "as_layout",
    "cluster",
    "convert",
    "covariance",
    "embedding",
    "expand",
    "from_sparse",
    "identify",
    "images",
    "io",
    "linalg",
    "neighbors",
    "nonzeros",
    "pack",
    "pairwise",
    "plot",
    "quantize",
    "quantized",
    "read",
    "sparse",
    "targets",
    "tiled",
    "to_coo",
    "to_csc",
    "to_csr",
    "view",
    "viewer",
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


# What is loaded when it is first asked for: `import vech` stays quick.
_LATER = (
    *("cluster", "covariance", "embedding", "images", "io", "linalg", "neighbors", "pairwise", "plot"),
    *("quantized", "tiled", "viewer"),
)
_INSIDE = {
    "read": "io",
    "write": "io",
    "Tiled": "tiled",
    "view": "viewer",
    **dict.fromkeys(("ENCODINGS", "Quantized", "quantize"), "quantized"),
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name in _LATER:
        return import_module(f"vech.{name}")
    if name in _INSIDE:
        return getattr(import_module(f"vech.{_INSIDE[name]}"), name)
    import difflib

    from vech.elsewhere import FUNCTIONS

    if name in FUNCTIONS:
        raise AttributeError(f"vech has no {name!r}: use {FUNCTIONS[name]}")

    near = difflib.get_close_matches(name, __all__, n=1)
    raise AttributeError(
        f"module 'vech' has no attribute {name!r}" + (f": did you mean {near[0]!r}?" if near else "")
    )
