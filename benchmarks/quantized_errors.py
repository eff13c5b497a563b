"""What each encoding loses of matrices of four kinds: ``|E|_F / |A|_F``, as the certificate has it.

python -m benchmarks.quantized_errors
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import vech
from benchmarks.inverse_root import Array, autoregressive

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


if __name__ == "__main__":
    print("\n".join(table()))
