"""Symmetric and positive definite tensors of modules, by `torch.nn.utils.parametrize`, that own a half."""

from __future__ import annotations

from functools import partial
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vech.adapters.torch import plain
from vech.adapters.torch.checks import check_half, check_square, facts, facts_of_side
from vech.adapters.torch.definite import cholesky
from vech.adapters.torch.halves import ordered
from vech.adapters.torch.modules.loading import pack_entry
from vech.adapters.torch.moves import expand, pack
from vech.adapters.torch.precision import as_it_is, wide
from vech.adapters.torch.products import gram
from vech.adapters.torch.spectral import exp, log
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import one_of
from vech.moves.judging import USES

WAYS = ("cholesky", "exp", "softplus")


def symmetric(
    module: nn.Module,
    name: str,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
    use: str = "both",
) -> nn.Module:
    """Let a module own the half of a symmetric parameter or buffer, which is still read as a full matrix.

    Parameters
    ----------
    module : Module
        Changed in place.
    name : str
        Of the parameter or buffer, shape (..., n, n).
    layout : str or layout
        Of the half.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.
    use : {"both", "lower", "upper", "mean"}
        What to believe of the tensor that is there, as `pack`: "both" must agree. A new `torch.nn.Linear` has
        random numbers in both. With the others the diagonal becomes what the kind leaves of it, zero of
        "skew". What is assigned or loaded later must be symmetric.

    Returns
    -------
    Module
        The same; ``module.parametrizations[name].original`` is the half, the same Parameter as before.

    Raises
    ------
    ValueError
        For what is not symmetric, as `pack`, for a tensor that has a parametrization already, and for a name
        that the module does not have.

    Notes
    -----
    Each use of ``getattr(module, name)`` expands the half (`torch.nn.utils.parametrize.cached` remembers it),
    and keeps nothing for the gradient. Assigning a full matrix packs it, with the same check. The state_dict
    holds the half; `load_state_dict` takes it, or a full matrix, in its place or under the plain name.
    Modules with parametrizations can be copied, but torch does not pickle them: `SymmetricLinear` can.

    Examples
    --------
    >>> layer = symmetric(nn.Bilinear(3, 3, 1), "weight", use="mean")
    >>> {key: tuple(value.shape) for key, value in layer.state_dict().items()}
    {'bias': (1,), 'parametrizations.weight.original': (1, 6)}
    """
    found = Symmetric(layout, kind, metric)
    one_of("use", use, USES)
    full = _owned(module, name)
    if use != "both":
        check_square(full, name)
        with torch.no_grad():
            believed = plain.settled_full(full, facts_of_side(full.dtype, layout, kind, full.shape[-1]).kind)
            full.copy_(found(pack(believed, layout, kind=kind, use=use)))
    return _own(module, name, found)


def spd(module: nn.Module, name: str, by: str = "cholesky", layout: str | AnyLayout = "vech") -> nn.Module:
    """Let a module own a half of which a positive definite parameter or buffer is made.

    Parameters
    ----------
    module : Module
        Changed in place.
    name : str
        Of the parameter or buffer, shape (..., n, n), which must be positive definite as it is; complex ones
        are Hermitian.
    by : {"cholesky", "exp", "softplus"}
        What the half holds: a triangle L of ``L L^H`` (in upper layouts U of ``U^H U``) whose diagonal is the
        logarithm of that of the factor; or a matrix whose exponential it is; or L with a diagonal that
        softplus makes positive.
    layout : str or layout
        Of the half, with its diagonal.

    Returns
    -------
    Module
        The same; ``module.parametrizations[name].original`` is the half, the same Parameter as before.

    Raises
    ------
    ValueError
        For what is not symmetric or not positive definite, for a layout without diagonal, a tensor that has a
        parametrization already, and a name that the module does not have.

    Notes
    -----
    Any half gives a definite matrix, but for rounding, so that an optimizer may do as it likes. With the
    logarithm steps of the diagonal are relative; with softplus not where numbers are large (J. Pinheiro, D.
    Bates, "Unconstrained parametrizations for variance-covariance matrices", Stat. Comput. 6, 1996). "exp"
    does not depend on the order of rows (V. Arsigny et al., "Log-Euclidean metrics for fast and simple
    calculus on diffusion tensors", Magn. Reson. Med. 56(2), 2006), and takes an eigendecomposition, about
    9 n^3, where the others take n^3 / 3. Computed in float32 at least, also under autocast. All else as
    `symmetric`.

    Examples
    --------
    >>> model = nn.Module()
    >>> model.register_buffer("covariance", torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    >>> model = spd(model, "covariance")
    >>> model.covariance
    tensor([[4., 2.],
            [2., 5.]])
    >>> model.parametrizations.covariance.original
    tensor([0.6931, 1.0000, 0.6931])
    """
    _owned(module, name)
    return _own(module, name, Definite(by, layout))


class Symmetric(nn.Module):
    """The full matrix of a half, and back."""

    def __init__(self, layout: str | AnyLayout, kind: str | None, metric: str) -> None:
        super().__init__()
        self.layout, self.kind, self.metric = layout, kind, metric

    def forward(self, half: Tensor) -> Tensor:
        """The full matrix."""
        return expand(half, self.layout, kind=self.kind, metric=self.metric)

    def right_inverse(self, matrix: Tensor) -> Tensor:
        """The half."""
        return pack(matrix, self.layout, kind=self.kind)

    def extra_repr(self) -> str:
        """What it prints of itself."""
        return f"layout={self.layout!r}, kind={self.kind!r}, metric={self.metric!r}"


class Definite(nn.Module):
    """A definite matrix of a half, and back."""

    def __init__(self, by: str, layout: str | AnyLayout) -> None:
        super().__init__()
        one_of("by", by, WAYS)
        self.by, self.layout = by, layout
        where = as_layout(layout)
        if where.diagonal != "stored":
            raise ValueError(
                f"layout {where.name} leaves out the diagonal, which a definite matrix has: "
                f"choose one that stores it, such as 'vech'"
            )
        self.is_upper, self.diagonal_scale = where.triangle == "upper", where.diagonal_scale

    def forward(self, half: Tensor) -> Tensor:
        """The definite matrix."""
        check_half(half)
        with as_it_is(half):
            found, kind = wide(half), _kind(half)
            if self.by == "exp":
                made = exp(found, self.layout, kind=kind)
            else:
                factor = expand(self._with_diagonal(found, POSITIVE[self.by]), self.layout, kind="triangular")
                made = gram(factor.mH if self.is_upper else factor, self.layout)
            return expand(made, self.layout, kind=kind).to(half.dtype)

    def right_inverse(self, matrix: Tensor) -> Tensor:
        """The half."""
        check_square(matrix)
        kind = _kind(matrix)
        half = wide(pack(matrix, self.layout, kind=kind))
        try:
            factor = cholesky(half, self.layout, kind=kind)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            raise ValueError(
                f"the matrix is not positive definite, and by={self.by!r} gives no other: "
                f"add to its diagonal ({error})"
            ) from None
        if self.by == "exp":
            return log(half, self.layout, kind=kind).to(matrix.dtype)
        return self._with_diagonal(factor, UNDONE[self.by]).to(matrix.dtype)

    def extra_repr(self) -> str:
        """What it prints of itself."""
        return f"by={self.by!r}, layout={self.layout!r}"

    def _with_diagonal(self, half: Tensor, function: Any) -> Tensor:
        """The half with a function of the (true, real) numbers of its diagonal in their place."""
        found = facts(half, self.layout, "triangular", moves=True)
        on = ordered(plain.table("on_diagonal", found.layout, found.n, half), found)
        numbers = half.real if half.is_complex() else half
        true = torch.where(on, numbers / self.diagonal_scale, 1)  # elsewhere it would overflow, and be NaN
        return torch.where(on, (function(true) * self.diagonal_scale).to(half.dtype), half)


def softplus_undone(x: Tensor) -> Tensor:
    """The y with log(1 + exp(y)) = x."""
    return x + (-torch.expm1(-x)).log()


POSITIVE = {"cholesky": torch.exp, "softplus": nn.functional.softplus}
UNDONE = {"cholesky": torch.log, "softplus": softplus_undone}


def _kind(x: Tensor) -> str | None:
    return "hermitian" if x.is_complex() else None


def check_module(module: object) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}")


def _owned(module: nn.Module, name: str) -> Tensor:
    """The parameter or buffer of that name, which no parametrization makes yet."""
    check_module(module)
    if not isinstance(name, str):
        raise TypeError(f"name must be that of a parameter or buffer, such as 'weight', not {short(name)}")
    if parametrize.is_parametrized(module, name):
        raise ValueError(
            f"{name!r} of {type(module).__name__} has a parametrization already: a half comes first, "
            f"others upon it"
        )
    tensors = {**module._parameters, **module._buffers}
    found = tensors.get(name)
    if found is None:
        there = [key for key, tensor in tensors.items() if tensor is not None]
        raise ValueError(
            f"{type(module).__name__} has no parameter or buffer {name!r} of its own: it has {short(there)}"
        )
    return found


def _own(module: nn.Module, name: str, parametrization: Symmetric | Definite) -> nn.Module:
    parametrize.register_parametrization(module, name, parametrization)
    module.register_load_state_dict_pre_hook(partial(_take_squares, name=name))
    return module


def _take_squares(
    module: nn.Module,
    state_dict: dict[str, Any],
    prefix: str,
    metadata: Any,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
    *,
    name: str,
) -> None:
    """Let full matrices in, in place of the half or under the plain name."""
    if not parametrize.is_parametrized(module, name):
        return
    owner: Any = module.parametrizations[name]
    if not isinstance(owner[0], Symmetric | Definite):
        return
    key = f"{prefix}parametrizations.{name}.original"
    if f"{prefix}{name}" in state_dict and key not in state_dict:
        state_dict[key] = state_dict.pop(f"{prefix}{name}")
    pack_entry(state_dict, key, owner.original, owner[0].right_inverse, errors)
