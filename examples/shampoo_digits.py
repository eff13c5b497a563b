"""
Shampoo in few bits
===================

It learns digits as well as in 32: SGD, AdamW and five ways to hold its matrices. 4-bit Shampoo is S. Wang,
P. Zhou, J. Li, H. Huang, NeurIPS 2024 (arXiv 2405.18144): eigenvectors of statistics in 4 bits, of which
products make an orthogonal matrix again, and all n x n codes of the roots. Ours hold halves; the feedback
is that of J. Li, K. Ding, K.-C. Toh, P. Zhou, ICCV 2025 (arXiv 2412.10663).

You learn: the optimizer, its encodings and domains, statistics of one's own, and the bytes of its state.
One short run of one network is shown; ``python examples/shampoo_digits.py --all`` takes two networks, 12
epochs and 5 seeds, each a split and a start of its own.
"""

import math
import sys
import time
from functools import partial
from typing import NamedTuple

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn
except ImportError as error:
    raise SystemExit(f"{error}: pip install torch scikit-learn matplotlib") from None

from vech.adapters import torch as vt

BATCH, BLOCK = 64, 64
LEVELS = torch.tensor(vech.ENCODINGS["linear2-4"].levels)
EPOCHS, SEEDS = (12, 5) if "--all" in sys.argv else (5, 1)

# %%
# The networks.


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def cnn():
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


# %%
# 4-bit Shampoo as it was published.


class Columns:
    """A square in 4 bits: a scale for each 64 numbers of a column."""

    def __init__(self, square):
        self.shape = square.shape
        blocks = nn.functional.pad(square.T, (0, -len(square) % BLOCK)).reshape(len(square), -1, BLOCK)
        self.scales = blocks.abs().amax(dim=2, keepdim=True).clamp(min=1e-30)
        self.codes = ((blocks / self.scales).unsqueeze(-1) - LEVELS).abs().argmin(dim=-1).to(torch.uint8)

    def square(self):
        n = len(self.codes)
        return (LEVELS[self.codes.long()] * self.scales).reshape(n, -1)[:, :n].T.contiguous()

    @property
    def nbytes(self):
        return math.prod(self.shape) // 2 + self.scales.nbytes


class Root:
    """Its diagonal, and the rest in 4 bits."""

    def __init__(self, square):
        self.diagonal = square.diagonal().clone()
        self.rest = Columns(square - torch.diag(self.diagonal))

    def square(self):
        return self.rest.square().fill_diagonal_(0) + torch.diag(self.diagonal)

    @property
    def nbytes(self):
        return self.diagonal.nbytes + self.rest.nbytes


class Eigenvectors:
    """Eigenvalues, and eigenvectors in 4 bits, which follow S by one step of the power method."""

    def __init__(self, n, start=1e-6):
        self.n, self.values, self.vectors = n, torch.full((n,), start), Columns(torch.eye(n))

    @property
    def nbytes(self):
        return self.values.nbytes + self.vectors.nbytes

    def orthogonal(self, steps):
        V = self.vectors.square()
        for _ in range(steps):
            V = 1.5 * V - 0.5 * V @ (V.T @ V)
        return V

    def update(self, *, factor, beta, weight=None):
        V = self.orthogonal(1)
        S = beta * (V * self.values) @ V.T + (1 - beta) * factor @ factor.T
        V = torch.linalg.qr(S @ V)[0]
        self.values, self.vectors = ((V.T @ S) * V.T).sum(dim=1), Columns(V)

    def root(self, p, damping):
        V = self.orthogonal(4)
        return (V * (self.values.clamp(min=0) + damping * self.values.max()) ** (-1 / p)) @ V.T


class PublishedShampoo(vt.Shampoo):
    """Matrices of fewer than 4096 numbers are float32, as there."""

    def make_statistic(self, side, like, group):
        small = side * side < group["smallest"]
        return super().make_statistic(side, like, group) if small else Eigenvectors(side)

    def make_root(self, statistic, order, step, group):
        if not isinstance(statistic, Eigenvectors):
            return super().make_root(statistic, order, step, group)
        return Root(statistic.root(2 * order, group["damping"]))


# %%
# What is compared.


def shampoo(parameters, lr, kind=vt.Shampoo, **options):
    return kind(
        parameters, lr, grafting="rmsprop", weight_decay=1e-2, statistics_every=10, root_every=30, **options
    )


METHODS = {
    "SGDM": (partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4), 0.1),
    "AdamW": (partial(torch.optim.AdamW, weight_decay=1e-2), 8e-3),
    "Shampoo, float32 halves": (shampoo, 4e-4),
    "4-bit Shampoo, as published": (partial(shampoo, kind=PublishedShampoo), 4e-4),
    "ours, log int8, roots 4 bits": (partial(shampoo, encoding="int8", root_encoding="linear2-4"), 4e-4),
    "ours, log 4 bits": (partial(shampoo, encoding="linear2-4"), 4e-4),
    "ours, Cholesky 4 bits, fed back": (
        partial(shampoo, encoding="linear2-4", domain="cholesky", feedback=0.5),
        4e-4,
    ),
}


# %%
# One run: how many digits are right, and what the optimizer holds.


class Run(NamedTuple):
    """The accuracy on the test set in per cent; bytes of statistics and roots; and of float32 squares."""

    accuracy: float
    nbytes: int
    squares: int
    seconds: float


def squares(optimizer):
    """Bytes of the same statistics and roots as full squares in float32."""
    states = [state["statistics"] for state in optimizer.state.values() if "statistics" in state]
    return sum(2 * 4 * statistic.n**2 for state in states for block in state for statistic in block)


def train(network, method, seed, epochs, lr=None):
    torch.manual_seed(seed)
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X.reshape(-1, 1, 8, 8) / 16, y, test_size=0.3, random_state=seed, stratify=y)
    X, held_out, y, answers = (torch.from_numpy(part) for part in split)
    X, held_out = X.float(), held_out.float()
    net = network()
    make, usual = METHODS[method]
    optimizer, began = make(net.parameters(), lr=usual if lr is None else lr), time.process_time()
    steps = epochs * (len(X) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(X))[: len(X) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        right = (net(held_out).argmax(dim=1) == answers).double().mean()
    full = squares(optimizer) if isinstance(optimizer, vt.Shampoo) else 0
    return Run(100 * float(right), getattr(optimizer, "nbytes", 0), full, time.process_time() - began)


# %%
# All ways.


def compare(network, epochs, seeds):
    """The runs of each method, in a table."""
    print(f"{network.__name__}, {epochs} epochs, {seeds} seeds: accuracy on the test set in per cent\n")
    print("| method | mean | sd | bytes of state | of full float32 | processor seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    runs = {}
    for method in METHODS:
        runs[method] = [train(network, method, seed, epochs) for seed in range(seeds)]
        accuracy = np.array([run.accuracy for run in runs[method]])
        one = runs[method][0]
        ratio = f"1 / {one.squares / one.nbytes:.1f}" if one.nbytes else ""
        print(
            f"| {method} | {accuracy.mean():.2f} | {accuracy.std():.2f} | {one.nbytes:,} | {ratio} | "
            f"{sum(run.seconds for run in runs[method]) / seeds:.1f} |",
            flush=True,
        )
    return runs


torch.set_num_threads(1)
runs = compare(mlp, EPOCHS, SEEDS)
if "--all" in sys.argv:
    compare(cnn, EPOCHS, SEEDS)

# %%
# Bytes of statistics and roots: what full squares would take, and what is held.

held = {method: of[0] for method, of in runs.items() if of[0].nbytes}
_, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.barh(list(held), [run.squares / 2**10 for run in held.values()], color="lightgray", label="full squares")
axes.barh(list(held), [run.nbytes / 2**10 for run in held.values()], label="held")
for row, run in enumerate(held.values()):
    axes.annotate(f" {run.accuracy:.1f} % right", (run.nbytes / 2**10, row), va="center")
axes.invert_yaxis()
axes.set(xlabel="KiB")
axes.legend()
plt.show()

# %%
# Next: examples/quantized_training.py, the weights in few bits; docs/learning.md
