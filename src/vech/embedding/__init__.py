"""Maps of rows: a store of distances, kernels or affinities in, coordinates out."""

from vech.embedding.principal import KernelComponents, PrincipalCoordinates, kernel_pca, pcoa
from vech.embedding.scaling import Scaling, mds
from vech.embedding.spectral import SpectralCoordinates, spectral

__all__ = [
    "KernelComponents",
    "PrincipalCoordinates",
    "Scaling",
    "SpectralCoordinates",
    "kernel_pca",
    "mds",
    "pcoa",
    "spectral",
]


def __dir__() -> list[str]:
    return __all__
