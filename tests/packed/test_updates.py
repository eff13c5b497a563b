"""The half of (A B^H + its mirror image) / 2, against the full product."""

import numpy as np
import pytest

import cases
import vech
from vech.layouts.kind import Kind
from vech.moves.runs import SIDE, Half
from vech.packed.updates import FEW, write_outer

CASES = [
    pytest.param(layout, dtype, kind, id=f"{name}-{dtype}-{kind}")
    for name, layout in (cases.PLAIN | cases.SCALED).items()
    for dtype, kinds in (("f8", ("symmetric", "skew")), ("c16", cases.STORE_KINDS))
    for kind in kinds
    if layout.diagonal != "one"
]


def random(rng, *shape, dtype):
    return (rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype == "c16" else 0)).astype(dtype)


@pytest.mark.parametrize(("layout", "dtype", "kind"), CASES)
@pytest.mark.parametrize(("n", "m"), [(5, 1), (5, FEW), (5, FEW + 1), (SIDE + 3, 2), (SIDE + 3, 6)])
def test_it_is_the_half_of_the_mean_of_the_product(layout, dtype, kind, n, m):
    rng = np.random.default_rng(0)
    a, b = random(rng, n, m, dtype=dtype), random(rng, n, m, dtype=dtype)
    product = a @ b.conj().T
    mirror = product.T.conj() if kind in ("hermitian", "skew-hermitian") else product.T
    mean = (product - mirror if kind.startswith("skew") else product + mirror) / 2
    rule = Kind(kind).of(np.dtype(dtype))
    half = np.full(layout.length(n), np.nan, dtype)
    write_outer(Half(half, layout, rule), a, b)
    i, j = layout.pair(np.arange(layout.length(n)), n)
    expected = mean[i, j] * np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale)
    np.testing.assert_allclose(half, expected, atol=1e-12)


def test_a_known_product_is_taken_from_its_own_triangle():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 7))
    half = np.empty(vech.Layout().length(300))
    write_outer(Half(half, vech.Layout(), Kind.SYMMETRIC), x, x, known=True)
    np.testing.assert_allclose(vech.expand(half), x @ x.T, atol=1e-12)
