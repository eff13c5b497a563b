"""The command `vech`: parses arguments, calls one public function, prints."""

from vech.cli import covariance, data, files, info, layouts
from vech.cli.root import main, vech_command

__all__ = ["covariance", "data", "files", "info", "layouts", "main", "vech_command"]
