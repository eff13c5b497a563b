"""The command `vech`: parses arguments, calls one public function, prints."""

from vech.cli import cluster, covariance, data, distances, files, info, layouts, neighbors, view
from vech.cli.root import main, vech_command

__all__ = [
    "cluster",
    "covariance",
    "data",
    "distances",
    "files",
    "info",
    "layouts",
    "main",
    "neighbors",
    "vech_command",
    "view",
]
