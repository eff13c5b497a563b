"""Similarities between the rows of a matrix, straight to a store: each pair is computed once."""

from vech.pairwise.similarities import cooccurrence, cosine, gram

__all__ = ["cooccurrence", "cosine", "gram"]


def __dir__() -> list[str]:
    return __all__
