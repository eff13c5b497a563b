"""Cells in colours inside of a frame: what heatmaps and pictures of errors have in common."""

from typing import Any, NamedTuple

import numpy as np

from vech.layouts.layout import one_of
from vech.plot.axes import DIAGONAL, MISSING, PLAIN
from vech.plot.cells import Cells
from vech.plot.content import Scale
from vech.plot.frame import Frame

FEW = 32  # rows up to which thin lines part the cells


def check_sizes(pixels: int | None, triangle: str | None) -> None:
    """Refuse numbers of cells and triangles that are none."""
    if pixels is not None and not (pixels >= 1 and pixels % 1 == 0):
        raise ValueError(f"pixels must be at least 1, not {pixels}")
    if triangle is not None:
        one_of("triangle", triangle, ("lower", "upper"))


class Drawn(NamedTuple):
    """The picture of cells, and whether some hold NaN or an infinity."""

    image: Any
    has_missing: bool


def draw_cells(frame: Frame, found: Cells, colours: Scale, triangle: str | None) -> Drawn:
    """The cells in their colours; grey where a number is not finite, pale on a diagonal that is left out."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    axes, side = frame.axes, len(found.numbers)
    beyond = np.zeros((side, side), np.bool)
    if triangle is not None:
        of_other = np.triu if triangle == "lower" else np.tril
        beyond = of_other(np.ones((side, side), np.bool), 1 if triangle == "lower" else -1)
    last = found.per * side  # the last cell may be of fewer rows
    options: dict[str, Any] = {
        "extent": (0, last, last, 0),
        "interpolation": "nearest",
        "aspect": "equal",
        "origin": "upper",
    }
    cmap = colormaps.get_cmap(colours.cmap).with_extremes(bad="none")
    image = axes.imshow(
        np.ma.array(found.numbers, mask=found.empty | found.missing | beyond),
        cmap=cmap,
        vmin=colours.low,
        vmax=colours.high,
        **options,
    )
    missing = found.missing & ~beyond
    marked = missing | (np.eye(side, dtype=np.bool) & found.empty)
    if marked.any():
        two = ListedColormap([DIAGONAL, MISSING])
        axes.imshow(np.ma.array(missing, mask=~marked), cmap=two, vmin=0, vmax=1, **options)
    axes.set(xlim=(0, frame.n), ylim=(frame.n, 0))
    if frame.n <= FEW:
        for line in range(1, frame.n):
            axes.axhline(line, color=axes.get_facecolor(), linewidth=0.6)
            axes.axvline(line, color=axes.get_facecolor(), linewidth=0.6)
    return Drawn(image, bool(missing.any()))


def of_cells(per: int, summary: str, *, stored: bool = False) -> str:
    """What a cell says of several numbers, for the label of the colour bar."""
    what = f"{'mean' if summary == 'mean' else 'largest'} of {'what is stored in ' * stored}"
    return "" if per == 1 else f"{what}{per} x {per}"


def legend(frame: Frame, entries: list[Any], has_missing: bool, per: int) -> Any:
    """What groups and grey cells mean, below the colour bar."""
    from matplotlib.patches import Patch

    if has_missing:
        entries = [*entries, Patch(color=MISSING, label="NaN or infinite" if per == 1 else "with NaN or inf")]
    if not entries:
        return None
    made = frame.axes.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=(1.03, 0),
        borderaxespad=0,
        frameon=False,
        fontsize=frame.font,
        handlelength=1,
        handleheight=1,
    )
    for text in made.get_texts():
        text.set(**PLAIN)
    return made
