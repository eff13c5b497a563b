"""Maps of rows: a store of distances, kernels or affinities in, coordinates out."""

from vech.embedding.principal import KernelComponents, PrincipalCoordinates, kernel_pca, pcoa
from vech.embedding.scaling import Scaling, mds

__all__ = ["KernelComponents", "PrincipalCoordinates", "Scaling", "kernel_pca", "mds", "pcoa"]


def __dir__() -> list[str]:
    return __all__
