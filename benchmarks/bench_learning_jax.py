"""Halves in JAX: programs of vech's adapter beside gathers and scatters by indices, which are given to them.

Full squares are the same loss of an n x n array, without any half.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row

MOVE_SIZES, FORM_SIZES = (1024, 1023, 4096, 4095), (2048, 2047)
LAYOUT = "numpy-triu"


def program(jax: Any, function: Callable[..., Any], *given: Any) -> Callable[[], object]:
    """A compiled function that is waited for."""
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*given))


def pack(n: int) -> Iterator[Case]:
    if (jax := peers.load("jax")) is None:
        return
    from vech.adapters import jax as vj

    full = jax.numpy.asarray(numbers(n * n, "float32").reshape(n, n))
    candidates = {
        "vech": program(jax, partial(vj.pack, layout=LAYOUT, use="upper"), full),
        "gather": program(jax, lambda A, i, j: A[i, j], full, *_indices(jax, n)),
    }
    yield Case("pack", LAYOUT, "float32", n, candidates)


def expand(n: int) -> Iterator[Case]:
    if (jax := peers.load("jax")) is None:
        return
    from vech.adapters import jax as vj

    half = jax.numpy.asarray(numbers(n * (n + 1) // 2, "float32"))
    candidates = {
        "vech": program(jax, partial(vj.expand, layout=LAYOUT), half),
        "scatter": program(jax, _scattered, half, *_indices(jax, n)),
    }
    yield Case("expand", LAYOUT, "float32", n, candidates)


def form(n: int) -> Iterator[Case]:
    if (jax := peers.load("jax")) is None:
        return
    from vech.adapters import jax as vj

    half = jax.numpy.asarray(numbers(n * (n + 1) // 2, "float32") / 100)
    x = jax.numpy.asarray(numbers(n, "float32") / 100)
    square = vj.expand(half, LAYOUT)

    def both(function: Callable[..., Any], *given: Any) -> Callable[[], object]:
        return program(jax, jax.value_and_grad(function, argnums=(0, 1)), *given)

    candidates = {
        "vech": both(partial(vj.quadratic, layout=LAYOUT), half, x),
        "full squares": both(lambda A, x: x @ A @ x, square, x),
        "scatter": both(lambda h, x, i, j: x @ _scattered(h, i, j) @ x, half, x, *_indices(jax, n)),
    }
    yield Case("quadratic, forward and backward", LAYOUT, "float32", n, candidates)


def _indices(jax: Any, n: int) -> tuple[Any, Any]:
    i, j = np.triu_indices(n)
    return jax.numpy.asarray(i), jax.numpy.asarray(j)


def _scattered(half: Any, i: Any, j: Any) -> Any:
    import jax.numpy as jnp

    n = round((2 * half.size + 0.25) ** 0.5 - 0.5)
    return jnp.zeros((n, n), half.dtype).at[i, j].set(half).at[j, i].set(half)


ROWS = (
    Row(
        "JAX: pack one triangle, against gather",
        "gather",
        (Limit("gather", faster=True),),
        MOVE_SIZES,
        pack,
    ),
    Row(
        "JAX: expand, against scatter",
        "scatter",
        (Limit("scatter", faster=True),),
        MOVE_SIZES,
        expand,
    ),
    Row(
        "JAX: quadratic, forward and backward",
        "full squares",
        (Limit("full squares", faster=True), Limit("scatter", faster=True)),
        FORM_SIZES,
        form,
    ),
)
