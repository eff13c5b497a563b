"""Programs that are asked by what they write; not of the Python index, but of Debian, for one."""

import importlib.metadata
import re
import shutil
import subprocess


def version_of(*command, pattern):
    """A function that finds a program's version in what it prints."""

    def version():
        need(command[0])
        return re.search(pattern, subprocess.run(command, capture_output=True, text=True).stdout)[1]

    return version


def need(program):
    """Says that it is not installed as a missing Python package says it."""
    if shutil.which(program) is None:
        raise importlib.metadata.PackageNotFoundError(program)
