"""Batches of small matrices, which kernels compute, beside NumPy; and what has no answer."""

import numpy as np
import pytest

import cases
import reference

jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
import jax.numpy as jnp

from vech.adapters import jax as vj
from vech.adapters.jax import small

try:
    from jax.experimental import enable_x64
except ImportError:
    enable_x64 = jax.enable_x64

COUNT = small.LEAST + 1
APART, EQUAL = [4.0, 1.0, 0.5, 3.0, -1.0, 5.0], [2.0, 0, 0, 2, 0, 2]


def through(S, function):
    values, vectors = np.linalg.eigh(S)
    return (vectors * function(values)[..., None, :]) @ vectors.mT


FUNCTIONS = {
    "eigh": (vj.eigh, None),
    "cholesky": (vj.cholesky, np.linalg.cholesky),
    "inverse": (vj.inverse, np.linalg.inv),
    "log": (vj.log, lambda S: through(S, np.log)),
    "exp": (vj.exp, lambda S: through(S, np.exp)),
    "power": (lambda h, layout: vj.power(h, -0.5, layout), lambda S: through(S, lambda w: w**-0.5)),
    "square": (lambda h, layout: vj.power(h, 2, layout), lambda S: S @ S),
}


def definite(n, layout, dtype):
    """Halves of positive definite matrices, and these."""
    full = cases.generator(n, layout, dtype).normal(size=(COUNT, n, n))
    full = full @ full.mT / n + np.eye(n)
    if layout.diagonal == "one":
        full = np.eye(n) + (full - full * np.eye(n)) / (20 * n)
    half = np.stack([reference.pack(S.astype(dtype), layout) for S in full])
    return half, np.stack([reference.expand(h, layout) for h in half.astype(float)])


@pytest.fixture
def calls(monkeypatch):
    """The tasks that kernels are called for."""
    made = []
    for task, kernel in small.TASKS.items():
        counted = lambda *given, task=task, kernel=kernel, **options: (
            made.append((task, *(name for name in ("eigvals_only",) if options.get(name))))
            or kernel(*given, **options)
        )
        monkeypatch.setitem(small.TASKS, task, counted)
    return made


def halves(*more):
    """A batch in which matrices meet: eigenvalues apart, equal, and what is given."""
    filled = [APART] * (COUNT - 1 - len(more))
    return jnp.array([*filled, EQUAL, *more])


# ---------------------------------------------------------------- numbers


def valid(name, layout, n, dtype):
    takes = layout.diagonal == "stored" or (name == "eigh" and layout.diagonal == "one")
    return takes and cases.fits(layout, np.dtype(dtype), "symmetric", n)


CHOSEN = cases.pairwise(
    valid,
    name=list(FUNCTIONS),
    layout=cases.LAYOUTS,
    n=range(1, 17),
    dtype=("float32", "float64"),
    apart=("layout", "n"),
)


@pytest.mark.parametrize(
    ("name", "layout", "n", "dtype"),
    [
        pytest.param(*case.values, id=case.id, marks=[pytest.mark.slow] if k % 8 else [])
        for k, case in enumerate(CHOSEN)
    ],
)
def test_batches_are_what_numpy_makes_of_each(name, layout, n, dtype, calls):
    half, full = definite(n, layout, dtype)
    function, want = FUNCTIONS[name]
    with enable_x64(dtype == "float64"):
        got = jax.block_until_ready(jax.jit(lambda half: function(half, layout))(half))
    assert calls
    if name == "eigh":
        values, vectors = (np.asarray(x, float) for x in got)
        assert (got.values.dtype, got.vectors.dtype) == (dtype, dtype)
        check(values, np.linalg.eigvalsh(full), dtype, n)
        check(vectors * values[:, None] @ vectors.mT, full, dtype, n)
        return
    assert got.dtype == dtype
    kind = "triangular" if name == "cholesky" else "symmetric"
    result = want(full)
    if name == "cholesky" and layout.triangle == "upper":
        result = result.mT
    check(got, np.stack([reference.pack(S, layout, kind) for S in result]), dtype, n)


def check(got, want, dtype, n):
    bound = 4 * cases.tolerance(dtype, n) * np.abs(want).max(initial=1)
    np.testing.assert_allclose(got, want, rtol=0, atol=bound)


@pytest.mark.parametrize("count", (small.LEAST - 1, small.LEAST))
@pytest.mark.parametrize("mapped", (False, True), ids=("batch", "vmap"))
def test_kernels_compute_batches_and_jax_computes_few(mapped, count, calls):
    h = halves()[:count]
    names = ["eigh", "cholesky", "inverse", "log", "exp"]
    for name in names:
        function = getattr(vj, name)
        jax.block_until_ready(jax.jit(jax.vmap(function) if mapped else function)(h))
    assert [task for task, *_ in calls] == ["eigh", "cholesky", "inverse", "log", "exp"] * (
        count == small.LEAST
    )


@pytest.mark.skipif(
    jax.__version_info__ < (0, 10), reason="JAX 0.4.36 keeps results that nothing uses; 0.10 does not"
)
def test_values_alone_are_asked_of_the_kernel_alone(calls):
    h = halves()
    got = jax.jit(lambda h: vj.eigh(h).values)(h)
    np.testing.assert_allclose(got, vj.eigh(h).values, rtol=1e-5)
    jax.jit(lambda h: vj.eigh(h).vectors)(h).block_until_ready()
    assert calls == [("eigh", "eigvals_only"), ("eigh",), ("eigh",)]


@pytest.mark.parametrize("n", (0, 17))
def test_other_sides_are_lapacks(n, calls):
    half = np.zeros((COUNT, n * (n + 1) // 2), "float32")
    assert jax.block_until_ready(jax.jit(vj.eigh)(half)).values.shape == (COUNT, n)
    assert not calls


def test_other_numbers_are_lapacks(calls):
    h = halves().astype("complex64")
    np.testing.assert_allclose(vj.log(h, kind="hermitian")[0].real, vj.log(h[0].real), atol=1e-5)
    assert not calls


# ---------------------------------------------------------------- without an answer


NAN, INFINITE, INDEFINITE = [1, 0, 0, np.nan, 0, 1], [1, 0, np.inf, 1, 0, 1], [1, 2, 0, 1, 0, 1]


@pytest.mark.parametrize(
    "bad", ([NAN, INFINITE], [INDEFINITE], [NAN, INDEFINITE]), ids=("nan", "indefinite", "both")
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_has_no_answer_is_nan_and_the_others_have_theirs(name, bad):
    h, function = halves(*bad), FUNCTIONS[name][0]
    good = [name in ("eigh", "exp") and half is INDEFINITE for half in bad]
    for got, alone in zip(*(jax.tree.leaves(function(x, "vech")) for x in (h, halves())), strict=True):
        filled = np.isfinite(got).reshape(COUNT, -1)
        assert filled[: -len(bad)].all()
        assert filled[-len(bad) :].all(-1).tolist() == good
        if got.ndim == 2:
            np.testing.assert_allclose(got[0], alone[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("bad", "made"), ((NAN, ["log", "log"]), (INDEFINITE, ["log", "eigh"])), ids=str)
def test_kernels_go_around_what_is_not_finite(bad, made, calls):
    got = np.asarray(vj.log(halves(bad)))
    assert [task for task, *_ in calls] == made
    assert np.isnan(got[-1]).all() and np.isfinite(got[:-1]).all()


# ---------------------------------------------------------------- derivatives


LOSSES = {
    "eigh": lambda h: (vj.eigh(h).values ** 3).sum(),
    "cholesky": lambda h: (vj.cholesky(h) ** 3).sum(),
    "inverse": lambda h: (vj.inverse(h) ** 2).sum(),
    "logdet": lambda h: vj.logdet(h) ** 2,
    "log": lambda h: (vj.log(h) ** 3).sum(),
    "exp": lambda h: (vj.exp(h / 4) ** 2).sum(),
    "power": lambda h: (vj.power(h, -0.5) ** 3).sum(),
}
COSTLY = ("cholesky", "inverse", "exp", "power")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in COSTLY else ()) for name in LOSSES]
)
def test_derivatives_of_batches_are_those_of_each(name, calls):
    """JAX computes one matrix. Second derivatives of eigenvalues need these apart."""
    loss = LOSSES[name]
    with enable_x64(True):
        h = halves().astype(float)
        to = jnp.cos(jnp.arange(6.0))

        def derivatives(h):
            slope, curve = jax.grad(loss), jax.hessian(loss)(h)
            return slope(h), curve, jax.jvp(slope, (h,), (to,))[1], jax.jvp(loss, (h,), (to,))[1]

        each = jax.jit(derivatives)
        ones = jax.block_until_ready([each(h[0]), each(h[-1])])
        assert not calls
        batch = jax.block_until_ready(jax.jit(jax.vmap(derivatives))(h))
        assert calls
    for k, one in zip((0, -1), ones, strict=True):
        for order, (got, want) in enumerate(zip(batch, one, strict=True)):
            if name != "eigh" or k == 0 or order in (0, 3):
                np.testing.assert_allclose(got[k], want, rtol=1e-7, atol=1e-9)
