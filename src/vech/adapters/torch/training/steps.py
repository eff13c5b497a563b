"""Learned step sizes: LSQ, of halves and of any other tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from vech.adapters.torch.checks import check_real, check_rows
from vech.adapters.torch.precision import wide
from vech.adapters.torch.training.places import SCALES, Places, places, scaled_gradient, straight_through
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import as_integer, one_of


def lsq(
    h: Tensor,
    steps: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    bits: int = 4,
    scales: str = "tile",
    tile: int = 64,
) -> Tensor:
    """A half on whole multiples of steps that are learned with it.

    Parameters
    ----------
    h : tensor, shape (..., length)
        Halves of real symmetric matrices. The diagonal stays as it is: codes have no diagonal.
    steps : tensor, shape (tiles,) or (n,)
        A step for each lower tile, row after row of tiles; or, with two sides, ``steps[i] * steps[j]`` for
        the number at (i, j). Of true values. `first_steps` has them to begin with.
    layout : str or layout
        Of the halves.
    bits : int
        2 to 8: whole numbers from -Q to Q, Q = 2^(bits - 1) - 1.
    scales : {"tile", "two-sided"}
        What the steps are for.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.

    Returns
    -------
    tensor, shape (..., length)
        ``s clip(round(h / s), -Q, Q)``.

    Raises
    ------
    ValueError
        For steps of another shape, and bits beyond 2 to 8.
    TypeError
        For halves that hold no real floating-point numbers.

    Notes
    -----
    The derivative by h is 1 where ``|h / s| < Q``, else 0; by s it is ``round(h / s) - h / s`` there, else
    ``-Q`` or ``Q``. The gradient of a step is then multiplied by ``1 / sqrt(N Q)``, where N counts the
    entries of the full matrix that share it, so that numbers off the diagonal are two: 2 times the numbers
    of a tile, ``2 (n - 1)`` of a side. Source: S. Esser et al., "Learned step size quantization", ICLR 2020.
    The gradient of h must be in the metric "packed", which counts both entries of a pair.

    What was learned becomes codes without loss by ``vech.quantize(S, "int4", scales=steps.abs(),
    clip=True)``, S being the store of the result; of more than 4 bits "int8"; with tiles of the same side.

    Examples
    --------
    >>> h = torch.tensor([2.0, 1.0, -0.5, 2.0, 0.3, 2.0])
    >>> lsq(h, torch.tensor([0.25]), bits=3).tolist()
    [2.0, 0.75, -0.5, 2.0, 0.25, 2.0]
    """
    at, most = places(h, layout, tile), largest(bits)
    unit = _units(steps, at, layout, scales, most, h)
    return torch.where(at.off, _on_steps(h, unit, most), h)


def lsq_tensor(x: Tensor, step: Tensor, *, bits: int = 4) -> Tensor:
    """As `lsq`, of activations: any tensor, with one step.

    Parameters
    ----------
    x : tensor, shape (..., features)
        What goes into a layer.
    step : tensor, shape ()
        The step.
    bits : int
        2 to 8.

    Returns
    -------
    tensor, shape (..., features)
        ``step clip(round(x / step), -Q, Q)``.

    Raises
    ------
    ValueError
        For bits beyond 2 to 8.

    Notes
    -----
    The gradient of the step is multiplied by ``1 / sqrt(features Q)``, as Esser et al. do for activations.

    Examples
    --------
    >>> lsq_tensor(torch.tensor([0.3, -2.0]), torch.tensor(0.25), bits=3).tolist()
    [0.25, -0.75]
    """
    most = largest(bits)
    check_rows(x, "x")
    check_real(step, "step")
    if step.numel() != 1:
        raise ValueError(f"step has shape {tuple(step.shape)}, and is one number for all of x: shape ()")
    return _on_steps(x, scaled_gradient(step, (max(x.shape[-1], 1) * most) ** -0.5), most)


def first_steps(
    h: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    bits: int = 4,
    scales: str = "tile",
    tile: int = 64,
) -> Tensor:
    """Steps to begin with: ``2 mean |h| / sqrt(Q)``.

    Parameters
    ----------
    h : tensor, shape (..., length)
        Halves of real symmetric matrices.
    layout : str or layout
        Of the halves.
    bits : int
        2 to 8.
    scales : {"tile", "two-sided"}
        A step for each tile, or for each side: then the mean is of a row, and its product with that of
        another over the mean of all is in place of theirs.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.

    Returns
    -------
    tensor, shape (..., tiles) or (..., n)
        Without gradient; 1 where all numbers are zero.

    Raises
    ------
    ValueError
        For bits beyond 2 to 8.
    TypeError
        For halves that hold no real floating-point numbers.

    Examples
    --------
    >>> first_steps(torch.tensor([2.0, 1.0, -0.5, 2.0, 0.3, 2.0]), bits=3).tolist()
    [0.692820...]
    """
    one_of("scales", scales, SCALES)
    at, unit = places(h, layout, tile), 2 * largest(bits) ** -0.5
    size = torch.where(at.off, wide(h.detach()).abs(), 0) / as_layout(layout).offdiagonal_scale
    if scales == "tile":
        found = at.mean(size) * unit
    else:
        n = as_layout(layout).side(h.shape[-1])
        zeros = size.new_zeros((*size.shape[:-1], n))
        rows = zeros.index_add(-1, at.rows, size).index_add(-1, at.columns, size) / max(n - 1, 1)
        found = rows * (unit / rows.mean(-1, keepdim=True)) ** 0.5
        found = found.nan_to_num(0)
    return torch.where(found > 0, found, 1).to(h.dtype)


def largest(bits: object) -> int:
    """Q, the largest whole number."""
    count = as_integer("bits", bits)
    if not 2 <= count <= 8:
        raise ValueError(f"bits is {count}, and must be 2 to 8")
    return int(2 ** (count - 1) - 1)


def _units(steps: Tensor, at: Places, layout: str | AnyLayout, scales: str, most: int, h: Tensor) -> Tensor:
    """The step of each number, in the unit in which it is stored."""
    one_of("scales", scales, SCALES)
    check_real(steps, "steps")
    found = as_layout(layout)
    n = found.side(h.shape[-1])
    count = len(at.counts) if scales == "tile" else n
    if steps.shape[-1:] != (count,):
        raise ValueError(
            f"steps has shape {tuple(steps.shape)}, and side {n} with scales={scales!r} needs ({count},): "
            f"first_steps makes them"
        )
    if scales == "tile":
        share = scaled_gradient(steps, (2 * most * at.counts.clamp(min=1)).double().rsqrt().to(steps.dtype))
        return share[..., at.tiles] * found.offdiagonal_scale
    share = scaled_gradient(steps, (2 * max(n - 1, 1) * most) ** -0.5)
    return share[..., at.rows] * share[..., at.columns] * found.offdiagonal_scale


def _on_steps(x: Tensor, unit: Tensor, most: int) -> Tensor:
    y = x / unit
    whole = torch.where(y.abs() < most, straight_through(y.round(), y), y.detach().clamp(-most, most))
    return whole * unit
