"""What an example needs: the libraries that it imports."""

import ast
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "examples"


def names():
    """All examples, by the names of their files."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def missing(name):
    """The libraries that an example imports and that are not installed."""
    needed = set()
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            needed |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            needed.add(node.module.partition(".")[0])
    return sorted(library for library in needed if find_spec(library) is None)
