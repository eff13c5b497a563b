"""R and its packages, which know one kind of floating-point number."""

import importlib.metadata
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered
from libraries.programs import need


def r(code):
    """The numbers that a program in R prints."""
    need("Rscript")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "code.R")
        path.write_text(f"options(digits = 17)\n{code}\n")
        answer = subprocess.run(["Rscript", path], capture_output=True, text=True)
    if "there is no package called" in answer.stderr:
        raise importlib.metadata.PackageNotFoundError(code)
    answer.check_returncode()
    return answer.stdout.split()


def version_of(package):
    return lambda: r(f'cat(as.character(packageVersion("{package}")))')[0]


def packed(dialect, code, **labels):
    """What the code gives for matrices A; they are not symmetric."""
    for n in (4, 5):
        matrix = labelled(n, **labels)
        numbers = ", ".join(map(str, matrix.ravel(order="F")))
        half = np.array(r(f"n <- {n}L; A <- matrix(c({numbers}), n); cat(as.vector({code}))"), "f8")
        yield Evidence(dialect, "packs", "symmetric", matrix, half)


def expanded(dialect, code, diagonal=1):
    """What the code gives for vectors h."""
    for n in (4, 5):
        half = numbered(n * (n + diagonal) // 2)
        numbers = ", ".join(map(str, half))
        full = np.array(r(f"n <- {n}L; h <- c({numbers}); cat(as.vector({code}))"), "f8")
        yield Evidence(dialect, "expands", "symmetric", half, full.reshape(n, n, order="F"))


@asks("r-stats", version_of("stats"))
def stats():
    yield from packed("r-dist", "as.dist(A)", diagonal=0)
    yield from expanded("r-dist", 'as.matrix(structure(h, class = "dist", Size = n))', diagonal=-1)


@asks("r-matrix", version_of("Matrix"))
def matrix():
    code = "suppressMessages({{ library(Matrix); {} }})".format
    yield from packed("r-matrix-dsp", code('pack(new("dsyMatrix", x = c(A), Dim = c(n, n), uplo = "U"))@x'))
    yield from expanded("r-matrix-dsp", code('as.matrix(new("dspMatrix", x = h, Dim = c(n, n), uplo = "U"))'))


@asks("r-matrixcalc", version_of("matrixcalc"))
def matrixcalc():
    yield from packed("r-vech", "matrixcalc::vech(A)")


@asks("r-lavaan", version_of("lavaan"))
def lavaan():
    dialects = {"vech": "r-vech", "vechr": "lavaan-vechr", "vechu": "lavaan-vechu", "vechru": "lavaan-vechru"}
    for name, dialect in dialects.items():
        yield from packed(dialect, f"lavaan::lav_matrix_{name}(A)")
        yield from expanded(dialect, f"lavaan::lav_matrix_{name}_reverse(h)")
