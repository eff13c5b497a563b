"""Who is near whom in a store of distances or similarities: lists, graphs and the strongest pairs."""

from vech.neighbors.graphs import graph, within
from vech.neighbors.lists import Nearest
from vech.neighbors.rows import nearest
from vech.neighbors.strongest import strongest

__all__ = ["Nearest", "graph", "nearest", "strongest", "within"]


def __dir__() -> list[str]:
    return __all__
