"""A picture as a file: without a window, whole or not at all."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vech.io.drafts import atomic
from vech.io.errors import visible

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
    with _lines_of_warnings():
        draw(ax=axes)
        with atomic(out, overwrite) as file:
            axes.figure.savefig(file, format=suffix)


@contextmanager
def _lines_of_warnings() -> Iterator[None]:
    """Say warnings as lines of text; of letters that a font lacks, each of which has some, a line in all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    said = dict.fromkeys(str(warning.message) for warning in caught)
    lacking = [text for text in said if text.startswith("Glyph ")]
    for text in said:
        if text not in lacking:
            click.echo(visible(text), err=True)
    if lacking:
        some = f"{len(lacking)} letter{'s' * (len(lacking) > 1)}"
        click.echo(f"{some} of labels, which the font of pictures lacks, drawn as boxes", err=True)
