"""
Inverse roots from few bits
===========================

How well A^(-1/4) comes back: what was published, the same made here, and halves. A preconditioner A is
held, and A^(-1/4) is used. NRE is ``|B - B'|_F / |B|_F`` and AE the angle between B and B' in degrees, B
being A^(-1/4) and B' what comes of what is held.

1. Once, of the matrix of S. Wang, P. Zhou, J. Li, H. Huang, "4-bit Shampoo", NeurIPS 2024 (arXiv 2405.18144),
   tables 1 and 5: 1200 rows, two levels of eigenvalues, blocks of 64 numbers of a column in their codes.
2. After 100 updates of a moving average, each held in codes: J. Li, K. Ding, K.-C. Toh, P. Zhou,
   "Memory-Efficient 4-bit Preconditioned Stochastic Optimization", ICCV 2025 (arXiv 2412.10663), who publish
   46.14 for A in 4 bits and 9.19 for its Cholesky factor, in per cent.

You learn: quantized halves of a matrix, its Cholesky factor and its logarithm, powers out of codes, states
that are updated in few bits. Smaller matrices are shown; ``python examples/inverse_roots.py --all`` takes
those of the papers, and some minutes.
"""

import math
import sys
from typing import NamedTuple

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    import torch
except ImportError as error:
    raise SystemExit(f"{error}: pip install torch matplotlib") from None

from vech.adapters import torch as vt

N, SIDE, STEPS = (1200, 256, 100) if "--all" in sys.argv else (320, 96, 25)

BLOCK, LEVELS = 64, np.array(vech.ENCODINGS["linear2-4"].levels)
TILE = 32
DAMPING = 1e-4  # of the moving averages, in units of the largest eigenvalue

# %%
# What is told of each way.


class Line(NamedTuple):
    """What is held, in how many bits an entry of the full matrix; the error found; what was published."""

    held: str
    bits: float
    nre: float
    angle: float
    published: str = ""

    def __str__(self):
        return f"| {self.held} | {self.bits:.2f} | {self.nre:.4f} / {self.angle:.2f} | {self.published} |"


def error(found, want):
    cosine = np.sum(found * want) / np.linalg.norm(found) / np.linalg.norm(want)
    return np.linalg.norm(found - want) / np.linalg.norm(want), math.degrees(math.acos(min(1.0, cosine)))


def power(A, s):
    """A^s of moduli of eigenvalues, as a singular value decomposition has them."""
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.abs(values) ** s) @ vectors.T


# %%
# As published: every code of a square.


def columns(square, bits):
    """In codes, a scale for each 64 numbers of a column: the levels of 4 bits, or of 8 evenly."""
    n = len(square)
    rows = np.pad(square.T, ((0, 0), (0, -n % BLOCK))).reshape(n, -1, BLOCK)
    scales = np.maximum(np.abs(rows).max(axis=2, keepdims=True), 1e-30)
    levels = LEVELS if bits == 4 else np.arange(-127, 128) / 127
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, rows / scales)
    return (levels[nearest] * scales).reshape(n, -1)[:, :n].T


def square_in_codes(A, bits):
    """The diagonal as it is, the rest in codes: not symmetric, since scales go by columns."""
    rest = A - np.diag(np.diag(A))
    return columns(rest, bits) + np.diag(np.diag(A))


def orthogonal(V, steps):
    for _ in range(steps):
        V = 1.5 * V - 0.5 * V @ (V.T @ V)
    return V


def published_ways(A, root):
    """(what is held, bits, A^(-1/4) of it, what was published)."""
    values, vectors = np.linalg.eigh(A)
    scales = 32 / BLOCK
    both = lambda M: (M + M.T) / 2
    yield "A, 4 bits", 4 + scales, power(both(square_in_codes(A, 4)), -0.25), ".4465 / 15.3"
    yield "A, 8 bits", 8 + scales, power(both(square_in_codes(A, 8)), -0.25), ".1310 / 7.5"
    for steps, said in ((0, ".0942 / 5.4"), (4, ".0669 / 3.8")):
        V = orthogonal(columns(vectors, 4), steps)
        name = "eigenvectors, 4 bits" + (", made orthogonal again" if steps else "")
        yield name, 4 + scales, (V * values**-0.25) @ V.T, said
    yield "A^(-1/4), 4 bits", 4 + scales, square_in_codes(root, 4), ".0661 / 3.8"


# %%
# Halves: of A, of its Cholesky factor, of its logarithm, of the root itself.


def half_ways(A, root):
    """(what is held, bits, A^(-1/4) of it, what was published)."""
    for domain, held in (("entries", "A"), ("cholesky", "Cholesky factor"), ("log", "log A")):
        for encoding in ("linear2-4", "int8"):
            Q = vech.quantize(A, encoding, domain=domain, tile=TILE)
            found = Q.power(-0.25).expand() if domain == "log" else power(Q.expand(), -0.25)
            said = ".0919, blocks of 64" if (domain, encoding) == ("cholesky", "linear2-4") else ""
            yield f"half of {held}, {encoding}", 8 * Q.nbytes / len(A) ** 2, found, said
    for encoding in ("linear2-4", "int8"):
        Q = vech.quantize(root, encoding, tile=TILE)
        yield f"half of A^(-1/4), {encoding}", 8 * Q.nbytes / len(A) ** 2, Q.expand(), ""


def two_levels(n, seed=0):
    """15 of 16 eigenvalues are 1000 times the others."""
    Q, small = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0], n // 16
    A = (Q * np.repeat([1000.0, 1.0], [n - small, small])) @ Q.T
    return (A + A.T) / 2


def once(n):
    A = two_levels(n)
    root = power(A, -0.25)
    root = (root + root.T) / 2
    ways = (*published_ways(A, root), *half_ways(A, root))
    return [Line(held, bits, *error(found, root), said) for held, bits, found, said in ways]


# %%
# Once.


def show(title, lines):
    print(f"A^(-1/4), {title}\n")
    print("| held | bits an entry | NRE / AE | published |", "| --- | --- | --- | --- |", *lines, sep="\n")


torch.set_num_threads(1)
at_once = once(N)
show(f"once, n = {N}", at_once)

# %%
# Moving averages: each update reads codes and writes codes.


def gradients(n, steps, seed=0):
    """Of one covariance, whose eigenvalues go from 1 to 1e-6, some at a time."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0] * np.geomspace(1, 1e-3, n)
    for _ in range(steps):
        yield torch.from_numpy(basis @ rng.standard_normal((n, n // 4)))


WAYS = {
    "A, linear2-4": {"encoding": "linear2-4", "domain": "entries"},
    "Cholesky factor, linear2-4": {"encoding": "linear2-4", "domain": "cholesky"},
    "Cholesky factor, linear2-4, fed back": {"encoding": "linear2-4", "domain": "cholesky", "feedback": 0.5},
    "log A, linear2-4": {"encoding": "linear2-4"},
    "log A, linear2-4, fed back": {"encoding": "linear2-4", "feedback": 0.5},
    "A, int8": {"encoding": "int8", "domain": "entries"},
    "Cholesky factor, int8": {"encoding": "int8", "domain": "cholesky"},
    "log A, int8": {"encoding": "int8"},
    "log A, int8, fed back": {"encoding": "int8", "feedback": 0.5},
}


def averaged(n, steps):
    exact = vt.LowBitState(n, dtype=torch.float64)
    states = {name: vt.LowBitState(n, **options) for name, options in WAYS.items()}
    for G in gradients(n, steps):
        for state in (exact, *states.values()):
            state.update(factor=G)
    root = lambda state: vt.expand(state.root(4, DAMPING)).double().numpy()
    want = root(exact)
    return [
        Line(f"half of {name}", 8 * state.nbytes / n**2, *error(root(state), want))
        for name, state in states.items()
    ]


in_time = averaged(SIDE, STEPS)
show(f"after {STEPS} updates, n = {SIDE}", in_time)

# %%
# The error, and the bits it takes; blue are halves.

_, places = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
for axes, lines, title in zip(places, (at_once, in_time), ("once", f"after {STEPS} updates"), strict=True):
    rows = sorted(lines, key=lambda line: -line.nre)
    axes.barh(
        [f"{line.held}: {line.bits:.1f} bits" for line in rows],
        [line.nre for line in rows],
        color=["C0" if line.held.startswith("half") else "lightgray" for line in rows],
    )
    axes.set(xscale="log", xlabel="NRE", title=title)
plt.show()

# %%
# Next: examples/shampoo_digits.py, which trains with such roots; docs/quantized.md
