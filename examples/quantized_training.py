"""
Digits by symmetric layers of few bits
======================================

Two symmetric layers of 64 features and a linear classifier, of which the symmetric weights get few bits:

1. *fine-tuning*: trained in float32, then rounded; then trained on with the rounding in place, by
   straight-through gradients, learned step sizes (LSQ), levels of a codebook (k-means), or signs;
2. *training in 4 bits* from the beginning: both layers rotated by Hadamard matrices, weights and inputs on
   learned steps, gradients in two planes of 4 bits of which half the rows are drawn (Xi et al. 2023).

Integers are simulated by floats. Then a normalisation is folded into a matrix of codes, and a Gram matrix
made of some of its rows. You learn: layers that own a half, parametrizations of it, and what rounding does to
accuracy. One short run is shown; ``python examples/quantized_training.py --all`` takes five seeds and more
epochs.
"""

import sys
from collections import defaultdict
from functools import partial

import numpy as np

try:
    import matplotlib.pyplot as plt
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn
    from torch.nn.utils.parametrize import register_parametrization
except ImportError as error:
    raise SystemExit(f"{error}: pip install torch scikit-learn matplotlib") from None

import vech
from vech.adapters import torch as vt
from vech.adapters.torch import training

SIDE, CLASSES, TILE = 64, 10, 32
SEEDS, EPOCHS, MORE = (5, 20, 10) if "--all" in sys.argv else (1, 4, 1)

# %%
# Handwritten digits.


def digits(seed):
    """Images of 8 x 8 and their digits: 1347 to train with, 450 to judge by."""
    X, y = load_digits(return_X_y=True)
    X, unseen, y, answers = train_test_split(X / 8, y, test_size=450, stratify=y, random_state=seed)
    numbers = [torch.tensor(part - X.mean(axis=0), dtype=torch.float32) for part in (X, unseen)]
    return *numbers, torch.tensor(y), torch.tensor(answers)


# %%
# A symmetric layer in 4 bits, and a network of two layers.


class Int4(vt.SymmetricLinear):
    """A symmetric layer in 4 bits."""

    def __init__(self, features, block=32, keep=1.0):
        super().__init__(features)
        self.options = {"block": block, "keep": keep, "tile": TILE}
        rotated = training.rotate(self.weight.detach(), block=block)
        self.steps = nn.Parameter(training.first_steps(rotated, tile=TILE))
        self.step = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        if not self.step.detach():  # the first rows say how large rows are
            mean = training.hadamard(x.detach(), self.options["block"]).abs().mean()
            self.step.data.copy_(2 * mean / 7**0.5)
        return training.int4_linear(self.weight, x, self.steps, self.step, **self.options) + self.bias


def network(seed, layer=vt.SymmetricLinear):
    torch.manual_seed(seed)
    return nn.Sequential(layer(SIDE), nn.ReLU(), layer(SIDE), nn.ReLU(), nn.Linear(SIDE, CLASSES))


def train(model, X, y, epochs, seed, rate=2e-3):
    """Adam with a falling rate, in batches of 64."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
        falling.step()
    return model


def right(model, X, y):
    """Which share of the digits is found, in per cent."""
    with torch.no_grad():
        return 100 * (model(X).argmax(1) == y).float().mean().item()


# %%
# What becomes of a half before it multiplies: a parametrization of the layer's weight.


class Rounded(nn.Module):
    """What becomes of a half before it multiplies."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


class Learned(nn.Module):
    """LSQ of a half."""

    def __init__(self, half, bits, scales="tile"):
        super().__init__()
        self.options = {"bits": bits, "scales": scales, "tile": TILE}
        self.steps = nn.Parameter(training.first_steps(half, **self.options))

    def forward(self, half):
        return training.lsq(half, self.steps, **self.options)


class Shared(nn.Module):
    """Levels of a codebook and the diagonal are trained; which level a number has stays."""

    def __init__(self, half):
        super().__init__()
        self.book = training.kmeans(half, tile=TILE)
        self.levels, self.diagonal = nn.Parameter(self.book.levels), nn.Parameter(self.book.diagonal)

    def forward(self, half):
        return self.book._replace(levels=self.levels, diagonal=self.diagonal).half()


def rounding(encoding, scales="tile"):
    return Rounded(partial(training.fake_quantize, encoding=encoding, scales=scales, tile=TILE))


WAYS = {
    "float32": lambda half: nn.Identity(),
    "int8, straight through": lambda half: rounding("int8"),
    "int4, straight through": lambda half: rounding("int4"),
    "int4, straight through, s_i s_j": lambda half: rounding("int4", "two-sided"),
    "nf4, straight through": lambda half: rounding("nf4"),
    "LSQ, 4 bits": lambda half: Learned(half, 4),
    "LSQ, 4 bits, s_i s_j": lambda half: Learned(half, 4, "two-sided"),
    "LSQ, 3 bits": lambda half: Learned(half, 3),
    "LSQ, 3 bits, s_i s_j": lambda half: Learned(half, 3, "two-sided"),
    "LSQ, 2 bits": lambda half: Learned(half, 2),
    "k-means, 4 bits": Shared,
    "signs": lambda half: Rounded(partial(training.signs, tile=TILE)),
    "signs, centred": lambda half: Rounded(partial(training.signs, centred=True, tile=TILE)),
}


# %%
# Rounded, and trained on; or in 4 bits from the beginning.


def fine_tuned(model, way, data, epochs, seed):
    """Right when rounded, and after training on."""
    X, unseen, y, answers = data
    twin = network(seed)
    twin.load_state_dict(model.state_dict())
    for layer in (twin[0], twin[2]):
        register_parametrization(layer, "weight", WAYS[way](layer.weight.detach()))
    return right(twin, unseen, answers), right(train(twin, X, y, epochs, seed, 1e-3), unseen, answers)


BEGINNINGS = {
    "float32": vt.SymmetricLinear,
    "4 bits": Int4,
    "4 bits, without rotation": partial(Int4, block=1),
    "4 bits, all rows of both planes": partial(Int4, keep=2.0),
}


def compare(seeds, epochs, more):
    """Per cent right: of each beginning; of each way when rounded, and when trained on."""
    begun, rounded, tuned = (defaultdict(list) for _ in range(3))
    for seed in range(seeds):
        data = X, unseen, y, answers = digits(seed)
        models = {way: train(network(seed, layer), X, y, epochs, seed) for way, layer in BEGINNINGS.items()}
        for way, model in models.items():
            begun[way].append(right(model, unseen, answers))
        for way in WAYS:
            before, after = fine_tuned(models["float32"], way, data, more, seed)
            rounded[way].append(before)
            tuned[way].append(after)
    return begun, rounded, tuned


begun, rounded, tuned = compare(SEEDS, EPOCHS, MORE)
spread = lambda found: f"{np.mean(found):.1f} ({min(found):.1f} to {max(found):.1f})"
print(f"right of 450 digits, per cent, mean of {SEEDS} seeds (least to most)\n")
print("| symmetric weights | rounded | trained on |\n| --- | --- | --- |")
for way in WAYS:
    print(f"| {way} | {spread(rounded[way])} | {spread(tuned[way])} |")
print("\n| trained from the beginning in | right |\n| --- | --- |")
for way in BEGINNINGS:
    print(f"| {way} | {spread(begun[way])} |")

# %%
# The Gram matrix of the images from some of them, drawn as their squares. In codes on two sides it takes a
# normalisation of its inputs into its scales, D A D, and nothing is rounded again.


def sampled(X, count):
    """The Gram matrix of some rows, and what is lost of that of all, over its norm."""
    half, every = training.sampled_gram(X, count), vt.gram(X.mT)
    return half, (vt.norm(half - every) / vt.norm(every)).item()


def folded_forms(half, X):
    """norm(x)' A norm(x) of each row; and of A with the norm folded in."""
    norm = nn.BatchNorm1d(SIDE, momentum=None, dtype=X.dtype)
    norm(X)  # which gives it means and variances
    A = vech.quantize(vech.Packed(half.numpy()), "int4", scales="two-sided", tile=TILE)
    folded = training.fold(A, norm.eval())
    rows, centred = norm(X).detach().numpy(), (X - folded.centre).numpy()
    return [(x.T * S.matmul(x.T)).sum(axis=0) for S, x in ((A, rows), (folded.matrix, centred))]


torch.manual_seed(0)
X = digits(0)[0].double()
half, lost = sampled(X, 300)
plain, folded = folded_forms(half, X)
print(f"\nX'X from 300 of {len(X)} rows in the mean: {100 * lost:.1f} per cent lost")
print(f"forms with the norm folded in differ by {np.abs(folded / plain - 1).max():.1e} of them")

# %%
# What rounding costs, and what training on gives back.

_, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
at = np.arange(len(WAYS))
axes.plot([np.mean(rounded[way]) for way in WAYS], at, "o", label="rounded")
axes.plot([np.mean(tuned[way]) for way in WAYS], at, "s", label="trained on")
axes.grid(alpha=0.3)
axes.set_yticks(at, WAYS)
axes.invert_yaxis()
axes.set(xlabel="right of 450 digits, per cent")
axes.legend()
plt.show()

# %%
# Next: examples/shampoo_digits.py, the optimiser in few bits; docs/learning.md
