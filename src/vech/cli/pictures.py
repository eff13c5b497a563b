"""A picture as a file: without a window, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vech.io.drafts import atomic

DPI = 150  # pixels of an inch
MARGIN = 0.02  # around the picture

CONTENTS = ("correlation", "covariance", "distance", "similarity")
"""What numbers can be drawn as; plot, which has them too, is loaded later."""


def save(out: Path, size: tuple[float, float], draw: Callable[..., Any], *, overwrite: bool) -> None:
    """Call `draw` with axes of a figure of this size in inches, and write it as the suffix says."""
    from vech.plot.axes import new_axes  # which loads SciPy

    axes = new_axes(size, window=False, dpi=DPI)
    known = axes.figure.canvas.get_supported_filetypes()
    suffix = out.suffix.lower().lstrip(".")
    if suffix not in known:
        raise ValueError(f"{out} has no suffix of a picture: choose from {', '.join('.' + k for k in known)}")
    axes.set_position((MARGIN, MARGIN, 1 - 2 * MARGIN, 1 - 2 * MARGIN))
    draw(ax=axes)
    with atomic(out, overwrite) as file:
        axes.figure.savefig(file, format=suffix)
