"""A store beyond memory: a Zarr v3 group that holds the lower tiles of a matrix, and each number once."""

from vech.tiled.factor import TiledCholesky
from vech.tiled.opening import create, open, write
from vech.tiled.store import Tiled

__all__ = ["Tiled", "TiledCholesky", "create", "open", "write"]


def __dir__() -> list[str]:
    return __all__
