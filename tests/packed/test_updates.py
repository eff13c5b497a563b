"""The half of (A B^H + its mirror image) / 2, against the full product."""

import numpy as np
import pytest

import cases
import vech
from vech.layouts.kind import Kind
from vech.moves.runs import SIDE, Half
from vech.packed.updates import FEW, SERIAL_BYTES, write_outer

CASES = [
    pytest.param(layout, dtype, kind, id=f"{name}-{dtype}-{kind}")
    for name, layout in (cases.PLAIN | cases.SCALED).items()
    for dtype, kinds in (("f8", ("symmetric", "skew")), ("c16", cases.STORE_KINDS))
    for kind in kinds
    if layout.diagonal != "one"
]


def random(rng, *shape, dtype):
    return (rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype == "c16" else 0)).astype(dtype)


@cases.each(("layout", "dtype", "kind"), CASES)
@cases.each(("n", "m"), [(5, 0), (5, 1), (5, FEW), (5, FEW + 1), (0, 2), (SIDE + 3, 2), (SIDE + 3, 6)])
def test_it_is_the_half_of_the_mean_of_the_product(layout, dtype, kind, n, m):
    rng = np.random.default_rng(0)
    a, b = random(rng, n, m, dtype=dtype), random(rng, n, m, dtype=dtype)
    product = a @ b.conj().T
    mirror = product.T.conj() if kind in ("hermitian", "skew-hermitian") else product.T
    mean = (product - mirror if kind.startswith("skew") else product + mirror) / 2
    rule = Kind(kind).of(np.dtype(dtype))
    half = np.full(layout.length(n), np.nan, dtype)
    write_outer(Half(half, layout, rule), a, b, 1)
    i, j = layout.pair(np.arange(layout.length(n)), n)
    expected = mean[i, j] * np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale)
    np.testing.assert_allclose(half, expected, atol=1e-12)


@pytest.mark.every_target
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layout", [vech.Layout("lower", "rows"), vech.Layout("lower", "columns")], ids=str)
@pytest.mark.parametrize("columns", [1, FEW])
def test_outer_products_are_the_same_wherever_they_are_written(dtype, layout, columns):
    """Numbers whose sums are exact, at every offset, in rows of every length, and nothing beside the half."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 9, 70, 143):
        a, b = (rng.integers(-9, 10, (n, columns)).astype(dtype) for _ in "ab")
        expected = ((a @ b.T + b @ a.T) / 2)[layout.pair(np.arange(layout.length(n)), n)]
        for shift in (0, 1, 3, 15):
            memory = np.full(expected.size + 32, 77, dtype)
            half = memory[shift : shift + expected.size]
            write_outer(Half(half, layout, Kind.SYMMETRIC), a, b, 1)
            np.testing.assert_array_equal(half, expected)
            assert (memory[:shift] == 77).all()
            assert (memory[shift + expected.size :] == 77).all()


@pytest.mark.every_target
def test_any_number_of_threads_gives_the_same_outer_products():
    """Of a half that several threads write, with sums that round."""
    n = 2100
    a, b = (np.random.default_rng(k).normal(size=(n, 2)).astype("f4") for k in range(2))
    halves = [np.empty(n * (n + 1) // 2, "f4") for _ in range(3)]
    for threads, half in enumerate(halves, 1):
        write_outer(Half(half, vech.Layout(), Kind.SYMMETRIC), a, b, threads)
    assert halves[0].nbytes > SERIAL_BYTES
    np.testing.assert_array_equal(halves[0], halves[1])
    np.testing.assert_array_equal(halves[0], halves[2])
    i, j = vech.Layout().pair(np.arange(halves[0].size), n)
    wide = [x.astype("f8") for x in (a, b)]
    exact = (
        np.einsum("kc,kc->k", wide[0][i], wide[1][j]) / 2 + np.einsum("kc,kc->k", wide[1][i], wide[0][j]) / 2
    )
    np.testing.assert_allclose(halves[0], exact, rtol=0, atol=4 * np.finfo("f4").eps * np.abs(exact).max())


def test_a_known_product_is_taken_from_its_own_triangle():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 7))
    half = np.empty(vech.Layout().length(300))
    write_outer(Half(half, vech.Layout(), Kind.SYMMETRIC), x, x, 1, known=True)
    np.testing.assert_allclose(vech.expand(half), x @ x.T, atol=1e-12)
