"""How operators of torch are made: shapes for the compiler, a rule for vmap, gradients of any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch._functorch.autograd_function import enable_single_level_autograd_function
from torch.autograd import forward_ad

from vech.adapters.torch.precision import NARROW

# Its operators take 15 us with a gradient and 5 without. Those of torch.library.custom_op take 35 and 20, and
# torch.func.grad does not take them; autograd.Function with setup_context takes 45.
LIBRARY = torch.library.Library("vech", "FRAGMENT")


def operator(
    schema: str,
    *,
    fake: Callable[..., Any],
    batched: Callable[..., Any],
    keep: Callable[..., None],
    backward: Callable[..., Any],
) -> Callable[..., Any]:
    """Makes a function an operator that compiles and differentiates.

    `fake` gives empty tensors of its shapes; `batched` is its rule for vmap; `keep` (ctx, inputs, output)
    saves what `backward` (ctx, *gradients) needs.
    """
    name = schema.partition("(")[0]

    def register(function: Callable[..., Any]) -> Any:
        LIBRARY.define(schema)

        def computed(*inputs: Any) -> Any:
            with torch._C._DisableAutocast():  # whose dtypes would not be those that `fake` gives
                return function(*inputs)

        LIBRARY.impl(name, computed, "CompositeExplicitAutograd")
        overload = getattr(torch.ops.vech, name).default

        class Differentiable(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, keyset: Any, *inputs: Any) -> Any:
                if torch._C._are_functorch_transforms_active():
                    with torch.enable_grad():  # of transforms farther out, from which torch would cut it off
                        output = below(keyset, *inputs)
                else:
                    output = below(keyset, *inputs)
                keep(ctx, inputs, output)
                return output

            @staticmethod
            def backward(ctx: Any, *gradients: Any) -> Any:
                with torch._C._DisableAutocast():
                    return (None, *backward(ctx, *gradients))

        # not Function.apply, which asks transforms first: they have been asked when the operator was called
        apply = super(torch.autograd.Function, Differentiable).apply

        def below(keyset: Any, *inputs: Any) -> Any:
            with torch._C._AutoDispatchBelowAutograd():
                return overload.redispatch(keyset & torch._C._after_autograd_keyset, *inputs)

        def differentiating(keyset: Any, *inputs: Any) -> Any:
            if is_forward() and torch._C._is_fwd_grad_enabled() and any(map(_has_tangent, inputs)):
                raise NotImplementedError(
                    f"torch.ops.vech.{name} has no derivative along a direction: the functions of "
                    "vech.adapters.torch have, outside of torch.compile"
                )
            if torch.is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
                if not torch._C._are_functorch_transforms_active():
                    return apply(keyset, *inputs)
                with enable_single_level_autograd_function():
                    return apply(keyset, *inputs)
            return below(keyset, *inputs)

        LIBRARY.impl(name, differentiating, "Autograd", with_keyset=True)
        torch.library.register_fake(f"vech::{name}", fake, lib=LIBRARY)
        torch.library.register_vmap(f"vech::{name}", batched, lib=LIBRARY)
        return overload

    return register


def is_forward() -> bool:
    """Whether derivatives may run forward now, for which operators have no rule and plain operations do."""
    return bool(forward_ad._current_level >= 0)


def narrowed(function: Callable[..., Any], *inputs: Any) -> Any:
    """What a function gives: of narrow floats computed in float32, and rounded to them.

    Where derivatives run forward autocast is off, as it is in operators.
    """
    dtype = inputs[0].dtype
    with torch.autocast(inputs[0].device.type, enabled=False) if is_forward() else nullcontext():
        if dtype not in NARROW:
            return function(*inputs)
        found = function(*(x.float() if isinstance(x, Tensor) else x for x in inputs))
        return tuple(x.to(dtype) for x in found) if isinstance(found, tuple) else found.to(dtype)


def _has_tangent(x: Any) -> bool:
    return isinstance(x, Tensor) and forward_ad.unpack_dual(x).tangent is not None


@contextmanager
def saved_for_directions(ctx: Any) -> Iterator[tuple[Tensor, ...]]:
    """What a `jvp` was left, and its own derivatives along directions farther out, which torch ends."""
    with forward_ad._set_fwd_grad_enabled(True):
        yield tuple(forward_ad.unpack_dual(x).primal for x in ctx.saved_tensors)


def mapped(
    function: Callable[..., Any], info: Any, in_dims: tuple[Any, ...], *inputs: Any
) -> tuple[Any, Any]:
    """The answer to vmap of a function of tensors that all have one batch in front."""
    moved = (
        x
        if not isinstance(x, Tensor)
        else x.expand(info.batch_size, *x.shape)
        if at is None
        else x.movedim(at, 0)
        for x, at in zip(inputs, in_dims, strict=True)
    )
    found = function(*moved)
    return found, (0,) * len(found) if isinstance(found, tuple) else 0


def batch_in_front(name: str) -> Callable[..., Any]:
    """The rule for vmap of an operator of one tensor whose leading axes are a batch: one more of them."""

    def rule(info: Any, in_dims: tuple[Any, ...], x: Tensor, *rest: Any) -> tuple[Tensor, int]:
        return getattr(torch.ops.vech, name).default(x.movedim(in_dims[0], 0), *rest), 0

    return rule
