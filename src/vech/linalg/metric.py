"""Gradients with respect to a half: of the numbers it holds, or of the full matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, as_array, family
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import resolve_kind
from vech.layouts.layout import one_of
from vech.moves.rounding import factored

METRICS = ("packed", "full")


def factors(layout: AnyLayout) -> tuple[float, float]:
    """What makes a gradient in the metric "packed" one in "full": off the diagonal, on it."""
    off, on = (s**2 / m for s, m in ((layout.offdiagonal_scale, 2), (layout.diagonal_scale, 1)))
    return 1.0 if abs(off - 1) < 1e-15 else off, on  # of svec, whose scale is the rounded root of 2


def to_metric(
    gradient: ArrayLike, layout: str | AnyLayout = "vech", metric: str = "full", *, kind: str | None = None
) -> Array:
    """The gradient with respect to a half in the other of the two metrics.

    Parameters
    ----------
    gradient : array, shape (..., length)
        Derivatives of a number by those of a half: floating or complex.
    layout : str or layout
        Which number is where.
    metric : {"full", "packed"}
        "full": from "packed" to "full"; "packed": back.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is: both metrics of every kind differ by the same factors.

    Returns
    -------
    array, shape (..., length)
        In the dtype of `gradient`.

    Raises
    ------
    ValueError
        If the length fits no n, or metric, layout or kind are no names.
    TypeError
        For integers, bool and dates.
    OverflowError
        Where a finite number would become infinite.

    Notes
    -----
    A stored number is its true value times a scale s. With G the gradient of the full matrix, "packed" is the
    derivative by the stored number, ``(G_ij + mirror(G_ji)) / s`` off the diagonal and ``G_ii / s`` on it;
    "full" is the half of G itself, ``pack((G + mirror(G)) / 2, layout)``. So "full" is "packed" times s^2 / 2
    off the diagonal, times s^2 on it; the two are the same in svec.

    Examples
    --------
    >>> import numpy as np
    >>> to_metric(np.array([1.0, 4.0, 1.0]))
    array([1., 2., 1.])
    >>> to_metric(np.array([1.0, 2.0, 1.0]), metric="packed")
    array([1., 4., 1.])
    """
    numbers, layout = as_array(gradient, "gradient"), as_layout(layout)
    one_of("metric", metric, METRICS)
    if kind is not None:
        resolve_kind(kind, numbers.dtype, moves=False)
    if family(numbers.dtype) not in "fc":
        raise TypeError(f"gradient is {numbers.dtype}, and gradients are floating or complex: astype(float)")
    if numbers.ndim == 0:
        raise ValueError("gradient is a single number: that of a half is a vector, of shape (..., length)")
    n = layout.side(numbers.shape[-1])
    off, on = factors(layout)
    by = np.full(numbers.shape[-1], off)
    by[layout.diagonal_slots(n)] = on
    ufunc = np.multiply if metric == "full" else np.divide
    return factored(numbers, ufunc, by, f"its metric becomes {metric!r}")
