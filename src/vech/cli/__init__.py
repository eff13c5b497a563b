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
    "tiles",
    "vech_command",
    "view",
]
