"""What a library gave for labelled numbers: the evidence for a dialect. Imports nothing of vech."""

import importlib.metadata
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

RECORDS = Path(__file__).parent / "records"


class Evidence(NamedTuple):
    """One question to a library, and its answer."""

    dialect: str
    way: (
        str  # "packs": matrix -> half; "expands": half -> matrix; "projects": half -> half, onto the PSD cone
    )
    kind: str  # what the matrix is: "symmetric", "hermitian", "skew", "skew-hermitian", "triangular"
    given: np.ndarray  # a matrix that is not of its kind tells which triangle is read
    gave: np.ndarray
    within: float = (
        0.0  # error of a library that computes, of its largest number; a scale's ulp is not counted
    )


class Library(NamedTuple):
    """A library that can be asked."""

    name: str  # of its distribution
    version: Callable[[], str]  # PackageNotFoundError where it is not installed
    questions: list[Callable[[], Iterator[Evidence]]]

    def ask(self):
        """Everything that it gives."""
        return [piece for question in self.questions for piece in question()]


LIBRARIES: dict[str, Library] = {}


def asks(name, version=None):
    """Enters a generator of `Evidence` as questions to the library of that distribution name."""

    def enter(question):
        version_of = version or (lambda: importlib.metadata.version(name))
        LIBRARIES.setdefault(name, Library(name, version_of, [])).questions.append(question)
        return question

    return enter


# ---- labels ------------------------------------------------------------------------------------------------


def labelled(n, dtype="f8", kind=None, *, diagonal=None):
    """A matrix whose numbers tell where they are: 11 12 ... 21 22 ... (complex: + 100 in the imaginary part).

    With a kind, the upper triangle mirrors the lower one, or is zero; without, all n * n numbers differ.
    The diagonal is real; of skew matrices zero; else `diagonal`, where given.
    """
    rows, columns = np.indices((n, n)) + 1
    matrix = (10 * rows + columns).astype(dtype)
    if matrix.dtype.kind == "c":
        matrix += 1j * (matrix.real + 100) * (rows != columns)
    if diagonal is None and kind in ("skew", "skew-hermitian"):
        diagonal = 0
    if diagonal is not None:
        matrix[np.diag_indices(n)] = diagonal
    if kind is None:
        return matrix
    upper = np.triu_indices(n, 1)
    mirror = {
        "symmetric": lambda a: a,
        "hermitian": np.conj,
        "skew": lambda a: -a,
        "skew-hermitian": lambda a: -np.conj(a),
        "triangular": lambda a: 0 * a,
    }[kind]
    matrix[upper] = mirror(matrix.T)[upper]
    return matrix


def length(n):
    """Numbers in a half with its diagonal; without, the length of n - 1."""
    return n * (n + 1) // 2


def numbered(length, dtype="f8"):
    """The half 1 2 3 ... (complex: + 100 in the imaginary part)."""
    half = np.arange(1, length + 1).astype(dtype)
    return half + 1j * (half.real + 100) if half.dtype.kind == "c" else half


# ---- records -----------------------------------------------------------------------------------------------


def record(library):
    """Asks the library and writes what it gave."""
    pieces = [
        piece._replace(given=as_json(piece.given), gave=as_json(piece.gave))._asdict()
        for piece in library.ask()
    ]
    lines = ",\n".join(json.dumps(piece) for piece in pieces)
    head = f'{{"library": "{library.name}", "version": "{library.version()}", "evidence": [\n'
    path = RECORDS / f"{library.name}.json"
    path.write_text(f"{head}{lines}\n]}}\n")
    return path


def recorded(name):
    """Version and evidence in the record of that library."""
    content = json.loads((RECORDS / f"{name}.json").read_text())
    pieces = [
        Evidence(**{**piece, "given": as_array(piece["given"]), "gave": as_array(piece["gave"])})
        for piece in content["evidence"]
    ]
    return content["version"], pieces


def as_json(array):
    array = np.asarray(array)
    parts = np.stack([array.real, array.imag], axis=-1) if array.dtype.kind == "c" else array
    if np.all(parts == np.trunc(parts)) and not np.any(np.signbit(parts) & (parts == 0)):
        parts = parts.astype(np.int64)  # shorter
    return {"dtype": array.dtype.str, "numbers": parts.tolist()}


def as_array(content):
    dtype = np.dtype(content["dtype"])
    parts = np.array(content["numbers"])
    if dtype.kind == "c":
        parts = parts[..., 0] + 1j * parts[..., 1]
    return parts.astype(dtype)
