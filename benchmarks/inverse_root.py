"""How well A^(-1/4) comes back from few bits, by what is stored: ours beside what was published.

python -m benchmarks.inverse_root

A preconditioner is stored, and its inverse fourth root is used. NRE is ``|B - B'|_F / |B|_F``, AE the angle
between B and B' in degrees, where B is A^(-1/4) and B' comes from what was stored.

S. Wang, P. Zhou, J. Li, H. Huang, "4-bit Shampoo for Memory-Efficient Network Training", NeurIPS 2024
(arXiv 2405.18144), tables 1 and 5; J. Li, K. Ding, K.-C. Toh, P. Zhou, "Memory-Efficient 4-bit Preconditioned
Stochastic Optimization", ICCV 2025 (arXiv 2412.10663). Both have two levels of eigenvalues, 1200 rows, and
blocks of 64 numbers along rows or columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import vech

Array = np.ndarray[Any, Any]

N, SEED = 512, 0
POWER = -0.25
BLOCK = 64  # numbers that share a scale in what others store


class Stored(NamedTuple):
    """What is stored, how, and what was published: bits an entry of the full matrix, NRE and AE.

    Eigenvectors, which are no half, and int16, which vech does not have, are codes of `in_blocks`.
    """

    what: str
    encoding: str
    scales: str = "tile"
    domain: str = "entries"
    published: str = ""
    repairs: int = 0

    @property
    def how(self) -> str:
        """In words."""
        sided = ", two-sided" if self.scales != "tile" else ""
        repaired = f", {self.repairs} repair" + "s" * (self.repairs > 1) if self.repairs else ""
        return self.encoding + sided + repaired

    @property
    def bits(self) -> float:
        """An entry of the full matrix, without the scales of tiles, but with those of blocks."""
        if self.encoding in vech.ENCODINGS:
            return vech.ENCODINGS[self.encoding].bits / 2
        bits = BITS[self.encoding] + 32 / BLOCK
        return bits if self.what == VECTORS else bits / 2


ROOT, SQUARE_ROOT, VECTORS = "A^(-1/4)", "A^(1/2)", "eigenvectors"
BITS = {"linear2, 4 bits": 4, "linear2, 8 bits": 8, "int16": 16}
ROWS = (
    Stored("A", "int4"),
    Stored("A", "linear2-4", published="4.5 bits: .4465 / 15.3"),
    Stored("A", "int4", "two-sided"),
    Stored("A", "int8", published="8.5 bits: .1310 / 7.5"),
    Stored("A", "int8", "two-sided"),
    Stored("A", "int16"),
    Stored(VECTORS, "linear2, 4 bits", published=".0942 / 5.4"),
    Stored(VECTORS, "linear2, 4 bits", repairs=1),
    Stored(VECTORS, "linear2, 4 bits", repairs=4, published=".0669 / 3.8"),
    Stored(VECTORS, "linear2, 8 bits", repairs=1),
    Stored("Cholesky factor", "int4", domain="cholesky"),
    Stored("Cholesky factor", "linear2-4", domain="cholesky", published=".0919"),
    Stored("Cholesky factor", "int8", domain="cholesky"),
    Stored(SQUARE_ROOT, "linear2-4"),
    Stored(SQUARE_ROOT, "int8"),
    Stored("log A", "int4", domain="log"),
    Stored("log A", "linear2-4", domain="log"),
    Stored("log A", "int8", domain="log"),
    Stored(ROOT, "int4"),
    Stored(ROOT, "linear2-4", published="4.5 bits: .0661 / 3.8"),
    Stored(ROOT, "int8"),
)


def orthogonal(n: int, rng: np.random.Generator) -> Array:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def two_levels(n: int, rng: np.random.Generator) -> Array:
    """15 of 16 eigenvalues are 1000 times the others."""
    Q, small = orthogonal(n, rng), n // 16
    return (Q * np.repeat([1000.0, 1.0], [n - small, small])) @ Q.T


def power_law(n: int, rng: np.random.Generator) -> Array:
    """Eigenvalues as k^-1.5, then rows and columns of different size."""
    Q, d = orthogonal(n, rng), rng.lognormal(0, 0.5, n)
    return d[:, None] * ((Q / np.arange(1.0, n + 1) ** 1.5) @ Q.T) * d


def autoregressive(n: int, rng: np.random.Generator) -> Array:
    """The covariance of 2 n samples of a series in which each number is 0.7 of the one before, and noise."""
    X = rng.standard_normal((2 * n, n))
    for k in range(1, n):
        X[:, k] = 0.7 * X[:, k - 1] + math.sqrt(1 - 0.7**2) * X[:, k]
    return X.T @ X / len(X)


MATRICES: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "two levels": two_levels,
    "power law, lognormal rows": power_law,
    "AR(.7) covariance": autoregressive,
}


def matrix(name: str, n: int = N) -> Array:
    """Exactly symmetric."""
    full = MATRICES[name](n, np.random.default_rng(SEED))
    return (full + full.T) / 2


def power(full: Array, s: float) -> tuple[Array, int]:
    """A^s of moduli of eigenvalues, as a singular value decomposition has them; how many are negative."""
    values, vectors = np.linalg.eigh(full)
    found = (vectors * np.abs(values) ** s) @ vectors.T
    return (found + found.T) / 2, int((values < 0).sum())


def of_eigenvectors(full: Array, bits: int, repairs: int) -> Array:
    """A^(-1/4) of eigenvalues as they are and eigenvectors in codes, as 4-bit Shampoo holds it.

    A repair is a step of ``1.5 V - 0.5 V V'V`` towards an orthogonal V.
    """
    values, vectors = np.linalg.eigh(full)
    V = in_blocks(vectors.T, squares(bits)).T
    for _ in range(repairs):
        V = 1.5 * V - 0.5 * V @ (V.T @ V)
    return (V * values**POWER) @ V.T


def squares(bits: int) -> Array:
    """Signed squares of an even grid, and zero: the levels "linear-2" of 4-bit Shampoo."""
    grid = np.linspace(-1, 1, 2**bits)
    grid[2 ** (bits - 1) - 1] = 0
    return np.sign(grid) * grid**2


def in_blocks(numbers: Array, levels: Array) -> Array:
    """The nearest levels, a scale for each 64 numbers of a row: the largest of these."""
    rows, length = numbers.shape
    blocks = np.pad(numbers, ((0, 0), (0, -length % BLOCK))).reshape(rows, -1, BLOCK)
    scales = np.abs(blocks).max(axis=2, keepdims=True)
    scales[scales == 0] = 1
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, blocks / scales)
    return np.asarray((levels[nearest] * scales).reshape(rows, -1)[:, :length])


def in_int16(full: Array) -> Array:
    """The diagonal as it is, the strict lower triangle in rows of 64 numbers and codes of 16 bits."""
    below = np.tril_indices(len(full), -1)
    found = np.diag(np.diag(full))
    found[below] = in_blocks(full[below][None], np.arange(-32767, 32768) / 32767)
    return found + np.tril(found, -1).T


class Found(NamedTuple):
    """The error of A^(-1/4); how many eigenvalues of what was stored are negative."""

    nre: float
    angle: float
    negative: int


def found(row: Stored, full: Array, root: Array) -> Found:
    """What is left of A^(-1/4) when it is needed; `root` is that of the matrix itself."""
    if row.what == VECTORS:
        ours, negative = of_eigenvectors(full, BITS[row.encoding], row.repairs), 0
    elif row.encoding == "int16":
        ours, negative = power(in_int16(full), POWER)
    else:
        source = {ROOT: root, SQUARE_ROOT: power(full, 0.5)[0]}.get(row.what, full)
        Q = vech.quantize(source, row.encoding, scales=row.scales, domain=row.domain)
        if row.domain == "log":
            ours, negative = Q.power(POWER).expand(), 0
        else:  # a root B stands for B B, so that signs of its eigenvalues do not matter
            ours, negative = power(Q.expand(), 2 * POWER if row.what == SQUARE_ROOT else POWER)
            ours = Q.expand() if row.what == ROOT else ours
    cosine = float(np.sum(ours * root) / np.linalg.norm(ours) / np.linalg.norm(root))
    nre = float(np.linalg.norm(ours - root) / np.linalg.norm(root))
    return Found(nre, math.degrees(math.acos(min(1.0, cosine))), negative)


def table(n: int = N) -> list[str]:
    """Lines of Markdown."""
    fulls = {name: matrix(name, n) for name in MATRICES}
    roots = {name: power(full, POWER)[0] for name, full in fulls.items()}
    conditions = [f"{name}, condition {np.linalg.cond(full):.2g}" for name, full in fulls.items()]
    lines = [
        f"| stored | encoding | bits an entry | {' | '.join(conditions)} | published, two levels |",
        f"| --- | --- |{' --- |' * (len(fulls) + 2)}",
    ]
    for row in ROWS:
        cells = []
        for name, full in fulls.items():
            nre, angle, negative = found(row, full, roots[name])
            cells.append(f"{nre:.2g} / {angle:.2g}" + (f" ({negative} < 0)" if negative else ""))
        lines.append(f"| {' | '.join((row.what, row.how, f'{row.bits:g}', *cells, row.published))} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
