"""A small picture of a matrix for notebooks: shaded cells, of large matrices means of a few numbers each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 16  # cells at most, in each direction
SAMPLES = 8  # rows and columns looked at within a cell
PIXELS = 112
POSITIVE, NEGATIVE, UNKNOWN = (33, 102, 172), (178, 24, 43), "#888"


def sampled(n: int) -> NDArray[np.int64]:
    """The rows, and columns, to look at: all of a small matrix, evenly spread ones of a large one."""
    if n <= SIDE:
        return np.arange(n)
    cells, within = np.divmod(np.arange(SIDE * SAMPLES), SAMPLES)
    return ((2 * (cells * SAMPLES + within) + 1) * n) // (2 * SIDE * SAMPLES)


def shades(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Means over cells of sign times magnitude, the largest 1; NaN for a cell with a number not finite."""
    if numbers.dtype.kind == "c":
        x = np.abs(numbers).astype(np.float64) * np.where(numbers.real < 0, -1.0, 1.0)
    elif numbers.dtype.kind in "mM":
        x = np.where(np.isnat(numbers), np.nan, numbers.astype(np.int64).astype(np.float64))
    else:
        with np.errstate(invalid="ignore"):
            x = numbers.astype(np.float64)
    side = min(len(x), SIDE)
    x[~np.isfinite(x)] = np.nan
    with np.errstate(all="ignore"):
        most = np.nanmax(np.abs(x), initial=0.0)
        x = x / most if most > 0 else x
    per = max(1, len(x) // max(1, side))
    return np.asarray(x.reshape(side, per, side, per).mean(axis=(1, 3)))


def svg(cells: NDArray[np.float64]) -> str:
    """The cells as an inline picture: blue above zero, red below, darker where larger, grey where not finite."""
    side = len(cells)
    size = PIXELS / max(1, side)
    squares = "".join(
        f'<rect x="{j * size:.4g}" y="{i * size:.4g}" width="{size:.4g}" height="{size:.4g}" '
        f'fill="{_color(cells[i, j])}"/>'
        for i in range(side)
        for j in range(side)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PIXELS}" height="{PIXELS}" role="img" '
        f'style="border:1px solid #888">{squares}</svg>'
    )


def html(facts: dict[str, str], cells: NDArray[np.float64]) -> str:
    """The picture, and the facts beside it."""
    from html import escape

    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items())
    return (
        f'<div style="display:flex;gap:1em;align-items:center">{svg(cells)}'
        f"<table><tbody>{rows}</tbody></table></div>"
    )


def _color(shade: float) -> str:
    if np.isnan(shade):
        return UNKNOWN
    strength = abs(shade) ** 0.5  # small numbers shall be seen beside large ones
    ink = POSITIVE if shade > 0 else NEGATIVE
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in ink)
