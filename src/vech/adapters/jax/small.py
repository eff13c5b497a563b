"""Many small matrices at once, by the kernels of `vech.linalg`, where the processor has a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial, wraps
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir, partial_eval

from vech.adapters.jax import foreign
from vech.adapters.jax.checks import Facts
from vech.arrays import Array
from vech.layouts.dialects import AnyLayout
from vech.linalg import batches
from vech.linalg.batches import TASKS

LEAST = 32
"""From so many matrices on kernels are faster: for 32 of 3 x 3 in float32 eigh takes 39 us, and by LAPACK 41,
log 66 (105), inverse 73 (139); for 256 of them eigh 80 (288), log 70 (263)."""

DTYPES = ("float32", "float64")
WIDER = ("inverse", "power")  # whose kernels take matrices that are not positive definite, too


def by_kernel(task: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a kernel do what ``function(found, half)``, or ``function(found, task, p, half)``, does.

    Halves hold true values. Whether one does is decided as programs are lowered, when the batches of `vmap`
    are known. Rules of derivatives are the caller's.
    """

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def decided(found: Facts, *given: Any) -> Any:
            *settings, half = given
            name, p = settings or (task, None)
            fits = 1 <= found.n <= batches.KERNEL_SIDE and abs(p or 0) <= batches.KERNEL_POWER
            if not fits or np.dtype(half.dtype).name not in DTYPES:
                return function(found, *given)
            known = {"function": function, "settings": tuple(settings), "found": found, "task": name, "p": p}
            answers = small_p.bind(half, **known, count=None)
            return answers[0] if len(answers) == 1 else tuple(answers)

        return decided

    return decorator


@foreign.foreign
def small(half: Array, *results: Array, task: str, layout: AnyLayout, kind: str, p: float | None) -> None:
    """The answers, NaN for what is not finite; or that the kernel refuses another matrix."""
    *answers, refused = results
    options: dict[str, Any] = {"kind": kind, "threads": None}
    options["out"] = answers if len(answers) > 1 else answers[0]
    alone = {"eigvals_only": len(answers) == 1} if task == "eigh" else {}

    def refuses(matrices: Array) -> bool:
        try:
            if task in WIDER:
                batches.cholesky(matrices, layout, **options)
            TASKS[task](matrices, *(() if p is None else (p,)), layout, **options, **alone)
        except (ValueError, OverflowError):
            return True
        return False

    refused[...] = refuses(half)
    finite = np.asarray(np.isfinite(half).all(-1))
    if refused and not finite.all():
        one = np.zeros(half.shape[-1], half.dtype)
        one[layout.diagonal_slots(layout.side(one.size))] = 1
        refused[...] = refuses(np.where(finite[..., None], half, one))
        for answer in answers:
            answer[~finite] = np.nan


def _anywhere(
    half: jax.Array, *, function: Any, settings: Any, found: Facts, count: int | None, **_: Any
) -> Sequence[Any]:
    answers = function(found, *settings, half)
    return answers[:count] if isinstance(answers, tuple) else (answers,)


def _on_processor(half: jax.Array, **known: Any) -> Any:
    """By the kernel, and where it refuses a finite matrix, by JAX, whose answer to that matrix is NaN."""
    anywhere = partial(_anywhere, half, **known)
    if prod(half.shape[:-1]) < LEAST or not foreign.is_there():
        return anywhere()
    found, task, p = (known[name] for name in ("found", "task", "p"))
    results = (*jax.eval_shape(anywhere), jax.ShapeDtypeStruct((), bool))
    layout = found.layout
    if layout.scaled:
        layout = replace(layout, diagonal_scale=1.0, offdiagonal_scale=1.0)
    *answers, refused = foreign.call(
        small, results, half, task=task, layout=layout, kind=str(found.kind), p=p
    )
    return lax.cond(refused, anywhere, lambda: tuple(answers))


def _abstract(half: Any, **known: Any) -> list[Any]:
    return [ShapedArray(x.shape, x.dtype) for x in jax.eval_shape(partial(_anywhere, **known), half)]


@lru_cache(maxsize=512)
def _jitted(**known: Any) -> Any:
    """The primitive as a program of its own, for arrays that are not traced."""
    return jax.jit(partial(small_p.bind, **known))


def _batched(operands: Any, axes: Any, **known: Any) -> tuple[Any, Any]:
    answers = small_p.bind(jnp.moveaxis(operands[0], axes[0], 0), **known)
    return answers, [0] * len(answers)


def _without_unused(used: list[bool], equation: Any) -> tuple[list[bool], Any]:
    """Values alone, where a program makes nothing of the vectors."""
    if not any(used):
        return [False], None
    count = len(used) if used[-1] else 1
    kept = {**equation.params, "count": count}
    return [True], equation.replace(outvars=equation.outvars[:count], params=kept)


small_p = Primitive("vech_small")
small_p.multiple_results = True
small_p.def_impl(lambda half, **known: _jitted(**known)(half))
small_p.def_abstract_eval(_abstract)
mlir.register_lowering(small_p, mlir.lower_fun(_anywhere, multiple_results=True))
mlir.register_lowering(small_p, mlir.lower_fun(_on_processor, multiple_results=True), platform="cpu")
batching.primitive_batchers[small_p] = _batched
partial_eval.dce_rules[small_p] = _without_unused
