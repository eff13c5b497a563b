"""The command `vech`: parses arguments, calls one public function, prints."""

from vech.cli import (
    algebra,
    cluster,
    covariance,
    data,
    distances,
    files,
    info,
    layouts,
    neighbors,
    quantized,
    tiles,
    view,
)
from vech.cli.root import main, vech_command

__all__ = [
    "algebra",
    "cluster",
    "covariance",
    "data",
    "distances",
    "files",
    "info",
    "layouts",
    "main",
    "neighbors",
    "quantized",
    "tiles",
    "vech_command",
    "view",
]


def __dir__() -> list[str]:
    return __all__
