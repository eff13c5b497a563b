"""BLAS, LAPACK; Matrix Market, whose arrays have LAPACK's order."""

import ctypes
import io
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered

LETTERS = {"s": "f4", "d": "f8", "c": "c8", "z": "c16"}
SIDES = (4, 5)


def law(dtype):
    return "hermitian" if np.dtype(dtype).kind == "c" else "symmetric"


def triangle_of(n, dtype, uplo):
    """A labelled triangle, its diagonal complex too."""
    matrix = labelled(n, dtype)
    if matrix.dtype.kind == "c":
        matrix += np.diag(1j * np.arange(201, 201 + n))
    return (np.triu if uplo == "U" else np.tril)(matrix)


@asks("scipy")
def packed():
    from scipy.linalg import blas, lapack

    for n in SIDES:
        for letter, dtype in LETTERS.items():
            for uplo, name in (("U", "lapack-upper"), ("L", "lapack-lower")):
                matrix = labelled(n, dtype)
                half, _ = getattr(lapack, f"{letter}trttp")(matrix, uplo=uplo)
                yield Evidence(name, "packs", law(dtype), matrix, half)
                triangle, _ = getattr(lapack, f"{letter}tpttr")(n, half, uplo=uplo)
                yield Evidence(name, "expands", "triangular", half, triangle)
                multiply = getattr(blas, f"{letter}{'hpmv' if dtype in ('c8', 'c16') else 'spmv'}")
                columns = [
                    multiply(n, 1, half, unit, lower=int(uplo == "L")) for unit in np.eye(n, dtype=dtype)
                ]
                yield Evidence(name, "expands", law(dtype), half, np.stack(columns, axis=1))


@asks("scipy")
def rectangular_full_packed():
    from scipy.linalg import lapack

    for n in SIDES:
        for letter, dtype in LETTERS.items():
            transposed = "C" if letter in "cz" else "T"
            for transr, uplo in (("N", "U"), ("N", "L"), (transposed, "U"), (transposed, "L")):
                name = f"lapack-rfp-{'n' if transr == 'N' else 't'}{uplo.lower()}"
                pack = getattr(lapack, f"{letter}trttf")
                for kind, matrix in (
                    (law(dtype), labelled(n, dtype)),
                    ("triangular", triangle_of(n, dtype, uplo)),
                ):
                    half, _ = pack(matrix, transr=transr, uplo=uplo)
                    yield Evidence(name, "packs", kind, matrix, half)
                triangle, _ = getattr(lapack, f"{letter}tfttr")(n, half, transr=transr, uplo=uplo)
                yield Evidence(name, "expands", "triangular", half, triangle)


@asks("scipy-openblas32")
def cblas():
    """The product with each unit vector."""
    import scipy_openblas32

    folder, name = Path(scipy_openblas32.get_lib_dir()), scipy_openblas32.get_library()
    library = ctypes.CDLL(str(next(folder.glob(f"lib{name}.*"))))
    row_major, upper, lower = 101, 121, 122
    for n in SIDES:
        for letter, dtype in LETTERS.items():
            for uplo, name in ((upper, "cblas-row-upper"), (lower, "cblas-row-lower")):
                half = numbered(n * (n + 1) // 2, dtype)
                if letter in "cz":  # its product ignores the imaginary part of a diagonal
                    rows, columns = np.triu_indices(n) if uplo == upper else np.tril_indices(n)
                    half[rows == columns] = half[rows == columns].real
                multiply = getattr(library, f"scipy_cblas_{letter}{'hpmv' if letter in 'cz' else 'spmv'}")
                multiply.restype = None
                scalar = {"s": ctypes.c_float, "d": ctypes.c_double}.get(letter) or by_reference(dtype)
                columns = np.zeros((n, n), dtype)
                for unit, column in zip(np.eye(n, dtype=dtype), columns, strict=True):
                    product = (scalar(1), at(half), at(unit), 1, scalar(0), at(column), 1)
                    multiply(row_major, uplo, n, *product)
                yield Evidence(name, "expands", law(dtype), half, columns.T)


def at(array):
    return array.ctypes.data_as(ctypes.c_void_p)  # keeps the array


def by_reference(dtype):
    """As CBLAS takes complex scalars."""
    return lambda value: at(np.full(1, value, dtype))


@asks("scipy")
def matrix_market():
    from scipy.io import mmread, mmwrite

    def written(matrix, symmetry):
        file = io.BytesIO()
        mmwrite(file, matrix, symmetry=symmetry)
        lines = [line for line in file.getvalue().decode().splitlines() if not line.startswith("%")]
        numbers = np.array([[float(word) for word in line.split()] for line in lines[1:]])
        half = numbers[:, 0] + 1j * numbers[:, 1] if numbers.shape[1] == 2 else numbers[:, 0]
        file.seek(0)
        return half, mmread(file)

    for n in SIDES:
        for dtype, kind in (
            *((dtype, "symmetric") for dtype in ("i4", "i8", "f4", "f8", "c8", "c16")),
            *((dtype, "hermitian") for dtype in ("c8", "c16")),
            *((dtype, "skew") for dtype in ("i4", "i8", "f4", "f8", "c8", "c16")),
        ):
            skew = kind == "skew"
            name = "matrixmarket-array-skew" if skew else "matrixmarket-array-symmetric"
            matrix = labelled(n, dtype, diagonal=0 if skew else None)
            half, full = written(matrix, "skew-symmetric" if skew else kind)
            yield Evidence(name, "packs", kind, matrix, half)
            yield Evidence(name, "expands", kind, half, full)
