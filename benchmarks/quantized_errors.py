"""What encodings lose: ``|E|_F / |A|_F`` of four matrices; spectral norms where a scale a tile is too little.

python -m benchmarks.quantized_errors
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import vech
from benchmarks.inverse_root import Array, autoregressive, orthogonal

N, SEED = 512, 0
BIG = 8192
"""The side for which the share of bytes is told."""


def correlation(n: int, rng: np.random.Generator) -> Array:
    """Of 2 n samples of rows that share three factors."""
    X = rng.standard_normal((2 * n, 3)) @ rng.standard_normal((3, n)) + 2 * rng.standard_normal((2 * n, n))
    return np.corrcoef(X, rowvar=False)


def banded(n: int, rng: np.random.Generator) -> Array:
    """A correlation that fades within some rows, noise beyond, as of neighbouring variants."""
    full = autoregressive(n, rng)
    d = np.sqrt(np.diag(full))
    return full / np.outer(d, d)


def kernel(n: int, rng: np.random.Generator) -> Array:
    """Gaussian, between points in 8 dimensions."""
    return vech.pairwise.kernel(rng.standard_normal((n, 8)), "rbf", gamma=1 / 16).expand()


def distances(n: int, rng: np.random.Generator) -> Array:
    """Euclidean, between points in 8 dimensions."""
    return vech.pairwise.distances(rng.standard_normal((n, 8))).expand()


MATRICES: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "correlation": correlation,
    "banded correlation": banded,
    "Gaussian kernel": kernel,
    "distances": distances,
}
WAYS = (
    ("float16", "tile"),
    ("bfloat16", "tile"),
    ("int8", "tile"),
    ("int8", "two-sided"),
    ("uint8", "tile"),
    ("float8-e4m3", "tile"),
    ("float8-e5m2", "tile"),
    ("int4x2", "tile"),
    ("int4", "tile"),
    ("int4", "two-sided"),
    ("nf4", "tile"),
    ("linear2-4", "tile"),
    ("kmeans-4", "tile"),
    ("sign", "tile"),
    ("sign", "two-sided"),
)
"""Encodings and scales."""


def share(encoding: str, scales: str) -> float:
    """Bytes over those of the full matrix in float32, of side 8192: codes, scales and diagonal."""
    few = 1024
    Q = vech.quantize(np.eye(few, dtype=np.float32), encoding, scales=scales, levels=_levels(encoding))
    tiles = Q.scales.nbytes + (0 if Q.zeros is None else Q.zeros.nbytes)
    grow = BIG // few
    pairs = grow * Q.grid * (grow * Q.grid + 1) / (Q.grid * (Q.grid + 1))
    sides = 0 if Q.sides is None else Q.sides.nbytes
    own = 0 if Q.levels is None else Q.levels.nbytes
    held = (Q.codes.nbytes + tiles) * pairs + (sides + Q.diagonal().nbytes) * grow + own
    return held / (4 * BIG**2)


def _levels(encoding: str) -> Array | None:
    return np.linspace(-1, 1, 16) if encoding == "kmeans-4" else None


def table(n: int = N) -> list[str]:
    """Lines of Markdown."""
    fulls = {name: make(n, np.random.default_rng(SEED)) for name, make in MATRICES.items()}
    lines = [
        f"| encoding | bits a pair | bytes, of full float32 | {' | '.join(fulls)} |",
        f"| --- | --- | --- |{' --- |' * len(fulls)}",
    ]
    for encoding, scales in WAYS:
        cells = []
        for full in fulls.values():
            Q = vech.quantize((full + full.T) / 2, encoding, scales=scales)
            cells.append(f"{Q.error.frobenius / np.linalg.norm(full):.2g}")
        how = encoding + (f", {scales}" if scales != "tile" else "")
        head = (how, str(vech.ENCODINGS[encoding].bits), f"1 / {1 / share(encoding, scales):.1f}")
        lines.append(f"| {' | '.join((*head, *cells))} |")
    return lines


def of_sides(side: int, n: int = N) -> list[float]:
    """The errors of int8 with tiles of so many rows over those with tiles of 64, one for each matrix."""
    found = []
    for make in MATRICES.values():
        full = make(n, np.random.default_rng(SEED))
        own, usual = (vech.quantize((full + full.T) / 2, "int8", tile=tile) for tile in (side, 64))
        found.append(float(own.error.frobenius / usual.error.frobenius))
    return found


RANK = 16
"""Eigenvectors that `low_rank` keeps."""


def alike(n: int, rng: np.random.Generator) -> Array:
    """A covariance of 2 n samples."""
    return np.cov(rng.standard_normal((2 * n, n)), rowvar=False)


def sized(sd: float) -> Callable[[int, np.random.Generator], Array]:
    """The same between rows whose sizes are lognormal."""

    def make(n: int, rng: np.random.Generator) -> Array:
        size = np.exp(sd * rng.standard_normal(n))
        return alike(n, rng) * np.outer(size, size)

    return make


def two_large(n: int, rng: np.random.Generator) -> Array:
    """The same, two rows of which are 300 times as large."""
    size = np.ones(n)
    size[rng.choice(n, 2, replace=False)] = 300
    return alike(n, rng) * np.outer(size, size)


def decaying(n: int, rng: np.random.Generator) -> Array:
    """Eigenvalues k^-1.5."""
    Q = orthogonal(n, rng)
    return (Q * np.arange(1.0, n + 1) ** -1.5) @ Q.T


HARD: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "covariance, rows alike": alike,
    "log of the sizes of rows: sd 0.5": sized(0.5),
    "sd 1.5": sized(1.5),
    "two rows times 300": two_large,
    "eigenvalues k^-1.5": decaying,
}
HELP: dict[str, Callable[[Array, str], vech.Store]] = {
    "`quantize`": vech.quantize,
    "two-sided": lambda full, encoding: vech.quantize(full, encoding, scales="two-sided"),
    "`hadamard`": vech.quantized.hadamard,
    "`outliers`": vech.quantized.outliers,
    "`low_rank`": lambda full, encoding: vech.quantized.low_rank(full, RANK, encoding),
}


def lost(full: Array, store: vech.Store) -> tuple[float, float]:
    """The spectral norm of the error over that of the matrix, and bytes over those of the half."""
    exact = full.astype(np.float64)
    held = store.nbytes / (full.itemsize * len(full) * (len(full) + 1) / 2)
    return float(np.linalg.norm(exact - store.expand(), 2) / np.linalg.norm(exact, 2)), held


def helped(n: int = N) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"| matrix | encoding | {' | '.join(HELP)} |",
        f"| --- | --- |{' --- |' * len(HELP)}",
    ]
    for name, make in HARD.items():
        full = make(n, np.random.default_rng(SEED)).astype(np.float32)
        full = (full + full.T) / 2
        for encoding in ("int8", "int4"):
            cells = (lost(full, store(full, encoding)) for store in HELP.values())
            lines.append(
                f"| {name} | {encoding} | {' | '.join(f'{error:.1e}, {held:.2f}' for error, held in cells)} |"
            )
    return lines


if __name__ == "__main__":
    print("\n".join([*table(), "", *helped(), ""]))
    for side in (32, 128, 256):
        print(f"tiles of {side}, over those of 64:", *(f"{ratio:.2f}" for ratio in of_sides(side)))
