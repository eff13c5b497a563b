"""Sparse symmetric matrices: one triangle stored, both meant."""

from vech.sparse.half import SparseHalf
from vech.sparse.images import convolution, convolution_normal, convolved_shape, laplacian, poisson
from vech.sparse.whole import is_symmetric

__all__ = [
    "SparseHalf",
    "convolution",
    "convolution_normal",
    "convolved_shape",
    "is_symmetric",
    "laplacian",
    "poisson",
]


def __dir__() -> list[str]:
    return __all__
