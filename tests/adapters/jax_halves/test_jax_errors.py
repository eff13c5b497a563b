"""What arrays and arguments the adapter of JAX refuses: one clear sentence each."""

import re

import numpy as np
import pytest

import vech

jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
import jax.numpy as jnp

from vech.adapters import jax as vj

HALF = np.arange(1.0, 7.0, dtype=np.float32)
KEY = jax.random.key(0)
LIST = "{} must be an array of JAX or NumPy, not list: pass jnp.asarray({})"
NAME = "{} is a name ({}), not ndarray"


def started(draw, shape=(3, 3)):
    return vj.initializer(draw)(KEY, shape)


REFUSED = {
    "a list": (lambda: vj.expand([1.0, 2.0]), TypeError, LIST.format("half", "half")),
    "a list beside": (lambda: vj.matmul(HALF, [1.0] * 3), TypeError, LIST.format("x", "x")),
    "a square that is a list": (lambda: vj.pack([[1.0]]), TypeError, LIST.format("matrix", "matrix")),
    "rows that are a list": (lambda: vj.gram([[1.0]]), TypeError, LIST.format("X", "X")),
    "a bias that is a list": (
        lambda: vj.symmetric_linear(HALF, jnp.ones((2, 3)), [1.0] * 3),
        TypeError,
        LIST.format("bias", "bias"),
    ),
    "a store": (
        lambda: vj.cholesky(vech.Packed(HALF)),
        TypeError,
        "half must be an array of JAX or NumPy, not vech.Packed: pass its half, layout and kind",
    ),
    "a number": (lambda: vj.expand(jnp.float32(1)), ValueError, "half is a single number"),
    "words": (lambda: vj.expand(np.array(["a"] * 6)), TypeError, "<U1"),
    "keys": (
        lambda: vj.expand(jax.random.split(KEY, 6)),
        TypeError,
        "half has dtype key<fry>, and keys are no numbers: jax.random.normal draws some",
    ),
    "a key beside": (
        lambda: vj.matmul(HALF, KEY),
        TypeError,
        "x has dtype key<fry>, and keys are no numbers",
    ),
    "a metric that is an array": (
        lambda: vj.matmul(HALF, jnp.ones(3), metric=np.ones(2)),
        TypeError,
        NAME.format("metric", "packed, full"),
    ),
    "a way that is an array": (
        lambda: vj.spd(HALF, by=np.ones(2)),
        TypeError,
        NAME.format("by", "cholesky, exp, softplus"),
    ),
    "an order of a norm that is an array": (
        lambda: vj.norm(HALF, ord=jnp.ones(2)),
        ValueError,
        "unknown ord Array([1., 1.], dtype=float32): choose from 'fro', 'max', 1, 2, inf",
    ),
    "a tolerance that is no number": (
        lambda: vj.pack(jnp.eye(2), tolerance="a"),
        TypeError,
        "tolerance must be a real number, not 'a'",
    ),
    "an exponent that is a word": (
        lambda: vj.power(HALF, "a"),
        TypeError,
        "p must be a finite real number, and is 'a'",
    ),
    "what draws nothing": (
        lambda: vj.initializer(3),
        TypeError,
        "draw must be a function of (key, shape, dtype), not 3",
    ),
    "a drawing that is a number": (
        lambda: started(lambda *given: 1.0),
        TypeError,
        "what draw gives must be an array of JAX or NumPy, not float",
    ),
    "a drawing that is not square": (
        lambda: started(lambda *given: jnp.ones(3)),
        ValueError,
        "what draw gives has shape (3,): its last two axes must be a square",
    ),
    "a drawing of integers": (
        lambda: started(lambda *given: jnp.ones((3, 3), jnp.int32)),
        TypeError,
        "what draw gives is int32, and only floating and complex numbers compute",
    ),
    "a shape that is a number": (
        lambda: started(jax.nn.initializers.normal(), 3),
        TypeError,
        "shape must be a tuple of integers, (..., n, n), not 3",
    ),
    "a shape that is no square": (
        lambda: started(jax.nn.initializers.normal(), (2, 3)),
        ValueError,
        "shape is (2, 3), and halves are drawn as squares: (..., n, n)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_said(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=re.escape(message)):
        call()
