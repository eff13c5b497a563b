"""Sparse symmetric matrices: one triangle stored, both meant."""

from vech.sparse.half import SparseHalf
from vech.sparse.whole import is_symmetric

__all__ = ["SparseHalf", "is_symmetric"]

# What moved to `vech.images`, and is still found here.
_MOVED = ("convolution", "convolution_normal", "convolved_shape", "laplacian", "poisson")


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name in _MOVED:
        from vech import images

        return getattr(images, name)
    raise AttributeError(f"module 'vech.sparse' has no attribute {name!r}")
