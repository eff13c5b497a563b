"""The halves that a module owns, and norms of their gradients as those of full matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vech.adapters.torch.checks import as_number, check_flag
from vech.adapters.torch.metric import norm, to_metric
from vech.adapters.torch.modules.linear import SymmetricLinear
from vech.adapters.torch.modules.parametrizations import Symmetric, check_module
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout


class OwnedHalf(NamedTuple):
    """A parameter or buffer that is the half of a symmetric matrix.

    Attributes
    ----------
    name : str
        As in `named_parameters` and the state_dict.
    half : Tensor, shape (..., length)
        The half itself.
    layout : str or layout
        Of the half.
    kind : str or None
        What the other triangle is.
    metric : str
        Of its gradient.
    """

    name: str
    half: Tensor
    layout: str | AnyLayout
    kind: str | None
    metric: str


def owned_halves(module: nn.Module) -> list[OwnedHalf]:
    """Every half that `symmetric` or `SymmetricLinear` has made a part of a module.

    Parameters
    ----------
    module : Module
        With all that is in it.

    Returns
    -------
    list of OwnedHalf
        ``name, half, layout, kind, metric``. Of `spd` none: what it owns are no numbers of a matrix.

    Raises
    ------
    TypeError
        For what is no module.

    Examples
    --------
    >>> [(owned.name, owned.half.shape) for owned in owned_halves(SymmetricLinear(3))]
    [('weight', torch.Size([6]))]
    """
    check_module(module)
    return list(_found(module))


def _found(module: nn.Module) -> Iterator[OwnedHalf]:
    for place, part in module.named_modules():
        prefix = f"{place}." if place else ""
        if isinstance(part, SymmetricLinear):
            name = "weight"
            if parametrize.is_parametrized(part, name):
                name = f"parametrizations.{name}.original"
            yield OwnedHalf(prefix + name, part.get_parameter(name), part.layout, part.kind, part.metric)
        if isinstance(part, parametrize.ParametrizationList) and isinstance(part[0], Symmetric):
            first = part[0]
            yield OwnedHalf(f"{prefix}original", part.original, first.layout, first.kind, first.metric)


def grad_norm(module: nn.Module) -> Tensor:
    """The norm of all gradients of a module, each half counted as the full matrix it is.

    Parameters
    ----------
    module : Module
        After `backward`; parameters without gradient do not count.

    Returns
    -------
    Tensor, shape ()
        The 2-norm of what the gradients of full, symmetric matrices would be, and of all other gradients.

    Raises
    ------
    TypeError
        For what is no module.

    Notes
    -----
    With S = (G + G') / 2, G the gradient of the full matrix, a half in the metric "packed" has ``2 S_ij`` off
    the diagonal and in "full" ``S_ij``; ``|S|^2`` counts it twice. `torch.nn.utils.get_total_norm` of halves
    is the same for the layout "svec-lower" alone. One pass over the gradients.

    Examples
    --------
    >>> layer = SymmetricLinear(2, bias=False)
    >>> layer(torch.tensor([1.0, 0.0])).sum().backward()
    >>> layer.weight.grad, grad_norm(layer)
    (tensor([1., 1., 0.]), tensor(1.2247))
    """
    owned = {id(found.half): found for found in owned_halves(module)}
    norms = []
    for parameter in module.parameters():
        gradient = parameter.grad
        if gradient is None:
            continue
        found = owned.get(id(parameter))
        size = torch.linalg.vector_norm(gradient) if found is None else _full_norm(gradient, found)
        norms.append(size)
    if not norms:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack([size.to(norms[0].device) for size in norms]))


def clip_grad_norm_(module: nn.Module, max_norm: float, *, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients of a module so that `grad_norm` is at most `max_norm`.

    Parameters
    ----------
    module : Module
        After `backward`; its gradients change in place.
    max_norm : float
        The largest norm.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN is an error; else gradients become what torch makes of them.

    Returns
    -------
    Tensor, shape ()
        The norm before.

    Raises
    ------
    TypeError
        For what is no module.
    RuntimeError
        For a norm that is infinite or NaN, if asked to.

    Notes
    -----
    As `torch.nn.utils.clip_grad_norm_`, with the same 1e-6 in the quotient.

    Examples
    --------
    >>> layer = SymmetricLinear(2, bias=False)
    >>> layer(torch.tensor([1.0, 0.0])).sum().backward()
    >>> clip_grad_norm_(layer, 0.5), grad_norm(layer)
    (tensor(1.2247), tensor(0.5000))
    """
    check_flag("error_if_nonfinite", error_if_nonfinite)
    max_norm = as_number("max_norm", max_norm, 0, math.inf)
    total = grad_norm(module)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"the norm of the gradients is {total.item()}: they cannot be clipped; "
            f"error_if_nonfinite=False scales them all the same"
        )
    share = (max_norm / (total + 1e-6)).clamp(max=1)
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(share.to(parameter.grad.device))
    return total


def _full_norm(gradient: Tensor, owned: OwnedHalf) -> Tensor:
    layout = as_layout(owned.layout)
    if isinstance(layout, Layout) and layout.implied is not None:
        layout = Layout(
            layout.triangle, layout.traversal, diagonal="zero", offdiagonal_scale=layout.offdiagonal_scale
        )
    full = gradient if owned.metric == "full" else to_metric(gradient, layout)
    return torch.linalg.vector_norm(norm(full, layout, kind=owned.kind))
