"""Distances and similarities between the rows of a matrix, straight to a store: each pair once."""

from vech.pairwise.distances import distances
from vech.pairwise.similarities import cooccurrence, cosine, gram

__all__ = ["cooccurrence", "cosine", "distances", "gram"]


def __dir__() -> list[str]:
    return __all__
