"""Between the rows of data, straight to a store: each pair is computed once."""

from vech.pairwise.blocks import from_blocks
from vech.pairwise.coded import ProductCodes
from vech.pairwise.distances import distances
from vech.pairwise.kernels import kernel
from vech.pairwise.mantel import Mantel, mantel
from vech.pairwise.nearest import nearest
from vech.pairwise.product_codes import product_codes
from vech.pairwise.similarities import cooccurrence, cosine, gram

__all__ = [
    "Mantel",
    "ProductCodes",
    "cooccurrence",
    "cosine",
    "distances",
    "from_blocks",
    "gram",
    "kernel",
    "mantel",
    "nearest",
    "product_codes",
]


def __dir__() -> list[str]:
    return __all__
