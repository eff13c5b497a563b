"""What a layout looks like: the place of each number in the half, and the way from one to the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import as_integer
from vech.layouts.orders import Explicit
from vech.layouts.pictures import LEGEND, in_words, sides
from vech.plot.axes import DIAGONAL, FAINT, INK, NEGATIVE, wrapped
from vech.plot.place import Place

MOST = 12  # rows whose numbers and arrows can still be read


class LayoutPicture(NamedTuple):
    """What `layout` drew.

    Attributes
    ----------
    axes : matplotlib axes
        Where.
    positions : array of int64, shape (n, n)
        The place of each number in the half, -1 where none is stored.
    """

    axes: Any
    positions: Array


def layout(
    name: str | AnyLayout, n: int | None = None, *, title: str | None = None, ax: Any = None
) -> LayoutPicture:
    """Draw a layout as a grid: where each number of the half belongs, and arrows from one to the next.

    Parameters
    ----------
    name : str or layout
        Which.
    n : int, optional
        The side, 1 to 12: 4 unless said, 3 or 5 for orders that need it.
    title : str, optional
        Above the picture; the name and the layout in words unless said.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    LayoutPicture
        The axes, and the places that are written there.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        For an unknown name, and an n out of range or that the layout does not have.
    TypeError
        For what is no name or layout.

    Notes
    -----
    Steps to a neighbour are dark arrows, jumps are red ones. Takes time and memory for n^2 numbers.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> layout("vech", 3).positions
    array([[ 0, -1, -1],
           [ 1,  3, -1],
           [ 2,  4,  5]])
    """
    drawn = as_layout(name)
    n = sides(drawn)[-1] if n is None else as_integer("n", n)
    if not 1 <= n <= MOST:
        raise ValueError(f"n must be 1 to {MOST} for a picture of a layout, not {n}")
    rows, columns = drawn.pair(np.arange(drawn.length(n)), n)
    positions = np.full((n, n), -1)
    positions[rows, columns] = np.arange(len(rows))

    place = Place(ax, (5.0, 5.4))
    axes = place.axes
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    axes.set_aspect("equal", adjustable="box")
    axes.grid(False)
    axes.minorticks_off()
    axes.set_xticks(range(n))
    axes.set_yticks(range(n))
    axes.tick_params(
        length=0, labelsize=place.font, labelcolor=FAINT, top=False, labeltop=True, labelbottom=False
    )
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.6)
    axes.imshow(
        np.ma.array(positions / max(1, len(rows)), mask=positions < 0),
        cmap="Blues",
        aspect="equal",
        origin="upper",
        interpolation="nearest",
        vmin=-0.15,
        vmax=2.2,  # light enough for what is written on it
    )
    for line in np.arange(n - 1) + 0.5:
        axes.axhline(line, color=axes.get_facecolor(), linewidth=1.5)
        axes.axvline(line, color=axes.get_facecolor(), linewidth=1.5)
    words = in_words(drawn)
    said = (
        drawn.name if not isinstance(name, str) else name if name == drawn.name else f"{name} = {drawn.name}"
    )
    heading = f"{said}\n{words.order}; diagonal {words.diagonal}; scale {words.scale}"
    axes.set_title(
        wrapped(heading if title is None else title, place.size[0], place.font),
        size=1.1 * place.font,
    )
    marks = _marks(drawn, rows, columns, n)
    _legend(place, {mark for text in marks for mark in text}, drawn.implied is not None)
    place.fit()
    cell = min(place.inner) / n
    size = min(1.6 * place.font, 0.3 * cell)
    for k, (i, j, mark) in enumerate(zip(rows, columns, marks, strict=True)):
        axes.text(j, i, f"{k}{mark}", ha="center", va="center", size=size, color=INK)
    if drawn.implied is not None:
        for i in range(n):
            axes.text(
                i, i, str(drawn.implied), ha="center", va="center", size=size, color=FAINT, style="italic"
            )
            axes.add_patch(_square(i))
    _draw_arrows(axes, rows, columns, cell)
    return LayoutPicture(axes, positions)


def _square(i: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.47, i - 0.47), 0.94, 0.94, facecolor=DIAGONAL, edgecolor="none", zorder=1)


def _marks(drawn: AnyLayout, rows: Array, columns: Array, n: int) -> list[str]:
    """Beside each place: whether its number is scaled, or stands in the other triangle."""
    crossed = np.zeros(len(rows), np.bool)
    if isinstance(drawn, Explicit):
        crossed = drawn.crossed(np.minimum(rows, columns), np.maximum(rows, columns), n)
    scales = np.where(rows == columns, drawn.diagonal_scale, drawn.offdiagonal_scale)
    return ["'" * bool(scale != 1) + "*" * bool(cross) for scale, cross in zip(scales, crossed, strict=True)]


def _legend(place: Place, marks: set[str], is_implied: bool) -> None:
    lines = [f"{mark}  {meaning}" for mark, meaning in LEGEND.items() if mark in marks]
    if is_implied:
        lines.append("grey  a diagonal that is not stored")
    place.axes.set_xlabel("\n".join(lines), size=place.font, loc="left", labelpad=6)


def _draw_arrows(axes: Any, rows: Array, columns: Array, cell: float) -> None:
    """From each place to the next: straight and dark to a neighbour, bent and red for a jump."""
    for k in range(len(rows) - 1):
        begin, end = (columns[k], rows[k]), (columns[k + 1], rows[k + 1])
        is_near = abs(begin[0] - end[0]) + abs(begin[1] - end[1]) == 1
        axes.annotate(
            "",
            xy=end,
            xytext=begin,
            arrowprops={
                "arrowstyle": "-|>" if is_near else "->",
                "color": INK if is_near else NEGATIVE,
                "alpha": 0.9 if is_near else 0.55,
                "linewidth": 1.2 if is_near else 0.9,
                "shrinkA": 0.29 * cell,
                "shrinkB": 0.29 * cell,
                "connectionstyle": "arc3,rad=0" if is_near else "arc3,rad=0.12",
                "mutation_scale": min(12.0, 0.2 * cell),
            },
        )
