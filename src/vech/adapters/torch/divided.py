"""Divided differences of the logarithm, the exponential and powers, also where eigenvalues meet.

f[a, b] is (f(a) - f(b)) / (a - b), and f'(a) where b is a; f[a, b, c] goes on from there. The derivative of a
function of a matrix is made of them (N. Higham, "Functions of Matrices", SIAM 2008, theorem 3.11).
"""

from __future__ import annotations

import torch
from torch import Tensor

NEAR = 1e-2  # relative: below it a series is exact to rounding, above it the difference loses two digits
MEETING = {torch.float32: 5e-3, torch.float64: 6e-6}  # eps^(1/3), the same for second differences


def value(name: str, p: float, x: Tensor) -> Tensor:
    """f(x)."""
    return x.log() if name == "log" else x.exp() if name == "exp" else x**p


def first(name: str, p: float, a: Tensor, b: Tensor) -> Tensor:
    """f[a, b] of eigenvalues for which f is defined."""
    if p == 0 and name == "power":
        return torch.zeros_like(a + b)
    gap, total = a - b, a + b
    if name == "exp":
        half = gap / 2
        near = half.abs() < NEAR
        square = torch.where(near, half, 0) ** 2
        series = (total / 2).exp() * (1 + square / 6 * (1 + square / 20 * (1 + square / 42)))
    else:
        safe = torch.where(total == 0, 1, total)
        near = gap.abs() <= NEAR / _steepness(name, p) * total.abs()
        square = (torch.where(near, gap, 0) / safe) ** 2
        if name == "log":
            series = 2 / safe * (1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7 + square / 9))))
        else:
            terms, c = torch.zeros_like(square), [_binomial(p, k) for k in (1, 3, 5, 7, 9)]
            for coefficient in reversed(c):
                terms = terms * square + coefficient
            series = (total / 2) ** (p - 1) * terms
    difference = value(name, p, a) - value(name, p, b)
    return torch.where(near, series, difference / torch.where(near, 1, gap))


def second(name: str, p: float, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """f[a, b, c]: by the two that are farthest apart, or f'' / 2 at their mean."""
    a, b, c = torch.broadcast_tensors(a, b, c)
    low, middle, high = torch.stack((a, b, c)).sort(0).values
    gap = high - low
    mean = (a + b + c) / 3
    size = torch.ones_like(gap) if name == "exp" else torch.maximum(high.abs(), low.abs())
    meeting = gap <= MEETING[a.dtype] / _steepness(name, p) * size
    if name == "exp":
        limit = mean.exp() / 2
    elif name == "log":
        limit = -1 / (2 * torch.where(mean == 0, 1, mean) ** 2)
    else:
        limit = _binomial(p, 2) * mean ** (p - 2) if p not in (0, 1) else torch.zeros_like(mean)
    difference = first(name, p, high, middle) - first(name, p, middle, low)
    return torch.where(meeting, limit, difference / torch.where(meeting, 1, gap))


def _steepness(name: str, p: float) -> float:
    """How much nearer the series of x^p need numbers to be: it is nearly exp(p log x)."""
    return max(1.0, abs(p) / 10) if name == "power" else 1.0


def _binomial(p: float, k: int) -> float:
    result = 1.0
    for i in range(k):
        result *= (p - i) / (i + 1)
    return result
