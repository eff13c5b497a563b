"""Asks the libraries that are installed here what they give, and writes it to tests/dialects/records.

    python tools/record_dialects.py [LIBRARY ...]

Needs NumPy and the libraries, not vech. Versions that conflict: run it once in each environment.
"""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/dialects"))

import libraries  # noqa: F401
from evidence import LIBRARIES, record


def main(names):
    """Records the named libraries, or all that are installed."""
    for name in names or LIBRARIES:
        try:
            version = LIBRARIES[name].version()
        except importlib.metadata.PackageNotFoundError:
            print(f"{name}: not installed")
            if names:
                return 1
        else:
            print(f"{name} {version}: {record(LIBRARIES[name])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
