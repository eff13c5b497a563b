"""The largest eigenvalues by random columns: as near to true ones as residuals say, in few products."""

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from compare import assert_same_bits
from vech.linalg import eigsh, top

N = 120
FIRST = np.array([-900.0, 700, 500, -300, 200])


def matrix(dtype="f8", kind="symmetric", values=FIRST, rest=1.0):
    """Of these eigenvalues, and N - k others of modulus `rest` at most."""
    random = np.random.default_rng(7)
    others = rest * random.uniform(-1, 1, N - len(values))
    parts = random.normal(size=(2, N, N))
    turn = np.linalg.qr(parts[0] + (1j * parts[1] if kind == "hermitian" else 0))[0]
    full = (turn * np.concatenate((values, others))) @ turn.conj().T
    return ((full + full.conj().T) / 2).astype(dtype)


@cases.each(("dtype", "kind"), [("f8", "symmetric"), ("f4", "symmetric"), ("c16", "hermitian")])
@cases.each("k", [1, 3, 5])
def test_the_largest_by_modulus_are_found_and_their_residuals_are_true(dtype, kind, k):
    full = matrix(dtype, kind)
    found = top(vech.Packed.from_full(full, kind=kind), k)
    values, vectors, residuals, beyond = found
    rounding = np.finfo(values.dtype).eps * 900 * 20
    want = np.sort(FIRST[:k])
    assert values.dtype == np.zeros(0, dtype).real.dtype and vectors.dtype == dtype
    np.testing.assert_allclose(values, want, atol=rounding + residuals.max())
    wide = full.astype(np.result_type(dtype, float))
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(k), atol=rounding)
    apart = np.linalg.norm(wide @ vectors - vectors * values, axis=0)
    np.testing.assert_allclose(residuals, apart, atol=rounding)
    assert (residuals < 1e-2).all()
    assert beyond >= 0.9  # of the rest, whose modulus reaches one


def test_residuals_bound_the_distance_to_an_eigenvalue_where_it_is_far():
    full = matrix(values=FIRST[:0], rest=10.0)  # nothing stands out
    every = np.linalg.eigvalsh(full)
    found = top(vech.Packed.from_full(full), 4, passes=0, oversample=0)
    apart = np.abs(every[:, None] - found.values).min(axis=0)
    assert (apart <= found.residuals * (1 + 1e-12)).all() and found.residuals.max() > 1
    assert found.beyond >= np.sort(np.abs(every))[-5]  # no four columns leave less


def test_more_passes_and_more_columns_are_more_accurate():
    store = vech.Packed.from_full(matrix(values=FIRST / 100))
    rough = top(store, 5, passes=0, oversample=0).residuals.max()
    wider = top(store, 5, passes=0, oversample=40).residuals.max()
    longer = top(store, 5, passes=6, oversample=0).residuals.max()
    assert wider < rough / 2 and longer < rough / 20


class Counted(vech.Packed):
    products = ()

    def matmul(self, x, out=None, *, threads=None):
        self.products = (*self.products, x.shape)
        return super().matmul(x, out, threads=threads)


@pytest.mark.parametrize("passes", [0, 1, 3])
def test_each_pass_multiplies_all_columns_twice(passes):
    store = Counted(vech.pack(matrix()))
    top(store, 3, passes=passes, oversample=4)
    assert store.products == (*[(N, 7)] * (1 + 2 * passes), (N, 17))


def test_it_agrees_with_eigsh_on_every_store():
    full = matrix()
    want = eigsh(vech.Packed.from_full(full), 3)[0]
    sparse = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full))
    for store in (full, vech.Packed.from_full(full), sparse):
        np.testing.assert_allclose(top(store, 3).values, want, rtol=1e-12)


def test_the_seed_decides_and_nothing_else():
    store = vech.Packed.from_full(matrix(rest=300.0))
    assert_same_bits(top(store, 2).vectors, top(store, 2, seed=0).vectors)
    assert_same_bits(top(store, 2).vectors, top(store, 2, seed=np.random.default_rng(0)).vectors)
    assert np.abs(top(store, 2).values - top(store, 2, seed=1).values).max() > 0


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**1010])
def test_sizes_near_the_ends_of_a_dtype_do_not_matter(scale):
    full = matrix()
    found, scaled = (top(vech.Packed.from_full(full * by), 3) for by in (1.0, scale))
    assert_same_bits(scaled.values, found.values * scale)
    assert_same_bits(scaled.vectors, found.vectors)
    assert scaled.beyond == found.beyond * scale


def test_small_ones_integers_and_zeros():
    assert top(vech.Packed(np.array([2])), 1).values == [2.0]
    values, vectors, residuals, beyond = top(vech.Packed(np.array([2, 0, -3])), 2)
    np.testing.assert_allclose(values, [-3, 2], rtol=1e-15)
    assert beyond < 1e-14 and residuals.max() < 1e-14 and vectors.shape == (2, 2)
    zero = top(vech.Packed(np.zeros(10)), 2)
    assert not zero.values.any() and zero.beyond == 0
    np.testing.assert_allclose(zero.vectors.T @ zero.vectors, np.eye(2), atol=1e-15)


def test_wrong_arguments_are_refused():
    store = vech.Packed.from_full(matrix())
    with pytest.raises(ValueError, match="top finds 1 to 120 eigenvalues of a matrix of side 120, not k = 0"):
        top(store, 0)
    with pytest.raises(ValueError, match="not k = 121"):
        top(store, 121)
    for name in ("oversample", "passes"):
        with pytest.raises(ValueError, match=f"{name} is -1, and must be 0 at least"):
            top(store, 2, **{name: -1})
    with pytest.raises(TypeError, match="top needs a real symmetric or a Hermitian matrix, and S is skew"):
        top(vech.Packed(np.ones(3), kind="skew"), 1)
    with pytest.raises(TypeError, match="S has dtype float16"):
        top(vech.Packed(np.ones(3, "f2")), 1)
    for wrong in (np.nan, np.inf):
        store = vech.Packed(cases.moderate(np.float64, 10))
        store.half[4] = wrong
        with pytest.raises(ValueError, match=rf"S\[1, 1\] is {wrong}: top needs finite numbers"):
            top(store, 1)
