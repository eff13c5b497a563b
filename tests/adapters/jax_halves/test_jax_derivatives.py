"""Second derivatives of every function in every order of modes, eigenvalues apart, close and equal."""

import numpy as np
import pytest

import vech

jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
import jax.numpy as jnp

from vech.adapters import jax as vj
from vech.adapters.jax import divided

try:
    from jax.experimental import enable_x64
except ImportError:
    enable_x64 = jax.enable_x64

RNG = np.random.default_rng(1)
N = 3
X = RNG.normal(size=(2, N))
C = RNG.normal(size=6)
TO = RNG.normal(size=6)
AT = {
    "apart": np.array([4.0, 1.0, 0.5, 3.0, -1.0, 5.0]),
    "equal": vech.pack(2 * np.eye(N)),
    "nearly": vech.pack(np.diag([2, 2 + 1e-7, 3])),
}
FUNCTIONS = {
    "pack": lambda h: vj.pack(vj.expand(h) ** 3) @ C,
    "expand": lambda h: (vj.expand(h) ** 3).sum(),
    "convert": lambda h: (vj.convert(h, "vech", "svec-upper") ** 3).sum(),
    "matmul": lambda h: (vj.matmul(h, X[0]) ** 3).sum(),
    "quadratic": lambda h: vj.quadratic(h, X[0]) ** 2,
    "congruence": lambda h: (vj.congruence(h, X) ** 3).sum(),
    "gram": lambda h: (vj.gram(h.reshape(3, 2)) ** 2).sum(),
    "cholesky": lambda h: (vj.cholesky(h) ** 3) @ C,
    "solve": lambda h: (vj.solve(h, X[0]) ** 2).sum(),
    "inverse": lambda h: vj.inverse(h) @ C,
    "logdet": lambda h: vj.logdet(h) ** 2,
    "eigh": lambda h: (vj.eigh(h).values ** 3).sum(),
    "log": lambda h: vj.log(h) @ C,
    "exp": lambda h: vj.exp(h / 4) @ C,
    "power": lambda h: vj.power(h, -0.5) @ C,
    "root": lambda h: vj.power(h, 0.25) @ C,
    "norm": lambda h: vj.norm(h) ** 3,
    "inner": lambda h: vj.inner(h, h) ** 2,
    "spd": lambda h: vj.spd(h, by="exp") @ C / 99,
}
MODES = {
    "rev-rev": lambda f, h: jax.grad(lambda h: jax.grad(f)(h) @ TO)(h),
    "fwd-rev": lambda f, h: jax.jvp(jax.grad(f), (h,), (TO,))[1],
    "rev-fwd": lambda f, h: jax.grad(lambda h: jax.jvp(f, (h,), (TO,))[1])(h),
}


COSTLY = ("congruence", "cholesky", "solve", "inverse", "logdet", "exp", "power", "root", "spd")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in COSTLY else ()) for name in FUNCTIONS]
)
def test_second_derivatives_are_differences_of_gradients(name):
    function, step = FUNCTIONS[name], 1e-4
    places = [where for where in AT if name != "eigh" or where == "apart"]

    @jax.jit
    @jax.vmap
    def everything(at):
        gradient = jax.grad(function)
        want = (gradient(at + step * TO) - gradient(at - step * TO)) / (2 * step)
        return want, {mode: second(function, at) for mode, second in MODES.items()}

    with enable_x64(True):
        want, got = everything(np.stack([AT[where] for where in places]))
    for mode, found in got.items():
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5, err_msg=f"{mode} at {places}")


@pytest.mark.slow
@pytest.mark.parametrize("layout", ("svec-lower", "numpy-triu"))
def test_second_derivatives_of_functions_of_hermitian_matrices(layout):
    full = np.array([[2, 1j, 0], [-1j, 2, 0.5], [0, 0.5, 3]]) + np.eye(3)
    h, step = vech.pack(full, layout, kind="hermitian"), 1e-4
    to = vech.pack(full @ full / 3 + np.diag([1, 2, 3]), layout, kind="hermitian")

    def loss(h):
        return (jnp.abs(vj.log(h, layout, kind="hermitian") + 1j) ** 4).sum()

    with enable_x64(True):
        gradient = jax.grad(loss)
        want = (gradient(h + step * to) - gradient(h - step * to)) / (2 * step)
        _, forward = jax.jvp(gradient, (jnp.asarray(h),), (jnp.asarray(to),))
        back = jax.grad(lambda h: jax.jvp(loss, (h,), (jnp.asarray(to),))[1])(jnp.asarray(h))
    np.testing.assert_allclose(forward, want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(back, want, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "hessian"), (("log", -0.125), ("exp", np.exp(2) / 2), ("power", 1 / 8)))
def test_second_derivatives_at_a_multiple_of_one_are_those_of_the_number(name, hessian):
    """f(2 I + t E)_00 = f''(2) / 2 t^2 sum of E_0k^2, E off the diagonal."""
    at = jnp.asarray(AT["equal"], "float32")
    more = (-1.0,) if name == "power" else ()
    found = jax.hessian(lambda h: getattr(vj, name)(h, *more)[0])(at)
    np.testing.assert_allclose(np.diag(found)[[0, 1, 2]], 2 * hessian * np.array([1, 1, 1]), rtol=1e-5)
    np.testing.assert_allclose(np.diag(found)[3:], 0, atol=1e-6)


@pytest.mark.slow
def test_a_batch_of_second_derivatives_is_each_of_them():
    halves = jnp.asarray(np.stack([AT["apart"], AT["equal"]]), "float32")
    hessian = jax.hessian(FUNCTIONS["log"])
    got = jax.vmap(hessian)(halves)
    for k, h in enumerate(halves):
        np.testing.assert_allclose(got[k], hessian(h), rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- divided differences


@pytest.mark.parametrize(
    ("name", "p", "a", "b", "want"),
    (
        ("exp", None, 0, -180, 1 / 180),
        ("exp", None, -60, -60, np.exp(-60.0)),
        ("exp", None, 80, -80, np.exp(80.0) / 160),
        ("log", None, 1, 1e-9, np.log(1e9)),
        ("log", None, 2, 2, 0.5),
        ("log", None, 3, 3 * (1 + 2**-20), 1 / 3),
        ("power", -0.5, 1, 1e-12, -1e6),
        ("power", 3, 1e9, 1e-8, 1e18),
        ("power", 0, 1, 2, 0),
        ("power", -2, 2, 2, -0.25),
        ("power", 0.5, 1, 0, 1),
    ),
)
def test_first_differences_neither_cancel_nor_overflow(name, p, a, b, want):
    for x, y in ((a, b), (b, a)):
        got = divided.first(name, p, jnp.float32(x), jnp.float32(y))
        np.testing.assert_allclose(got, np.float32(want), rtol=2e-6)


def test_gradients_of_an_exponential_of_eigenvalues_far_apart():
    gradient = jax.grad(lambda h: vj.exp(h).sum())
    np.testing.assert_allclose(gradient(jnp.array([-180.0, 0, 0])), [0, 1 / 180, 1], atol=1e-6)
    assert np.isfinite(gradient(jnp.full(6, -60.0))).all()
