"""fold is the adjoint of expand: Re <expand(h), A> is Re <h, fold(A)>."""

import numpy as np
import pytest

import cases
import vech
from vech.moves.folding import FOLDS, fold

N = 18  # beyond the small matrices that go by cells
FOLDED = [
    pytest.param(layout, dtype, kind, n, id=f"{name}-{dtype.name}-{kind}-{n}")
    for name, layout in (cases.PLAIN | cases.SCALED).items()
    for dtype in sorted(FOLDS, key=str)
    for kind in cases.KINDS
    for n in (4, N)
    if cases.fits(layout, dtype, kind, n)
]


def random(rng, shape, dtype):
    numbers = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype.kind == "c" else 0)
    return numbers.astype(dtype)


@cases.each(("layout", "dtype", "kind", "n"), FOLDED)
def test_fold_is_the_adjoint_of_expand(layout, dtype, kind, n):
    rng = np.random.default_rng(0)
    half, full = random(rng, (2, layout.length(n)), dtype), random(rng, (2, n, n), dtype)
    expanded = vech.expand(half, layout, kind=kind)
    if layout.diagonal == "one":  # no function of the half
        expanded[:, range(n), range(n)] = 0
    folded = fold(full, layout, kind, np.empty_like(half))
    left, right = np.vdot(expanded, full).real, np.vdot(half, folded).real
    scale = np.abs(expanded).ravel() @ np.abs(full).ravel()
    assert abs(left - right) <= cases.tolerance(dtype, n * n) * scale


def test_gradients_beyond_the_dtype_are_infinite_without_a_word():
    full = np.full((3, 3), np.finfo(np.float32).max)
    assert np.isinf(fold(full, vech.Layout(), "symmetric", np.empty(6, np.float32))[1])
