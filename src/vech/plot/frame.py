"""A square matrix on axes, and what stands around it, all held within the place that the axes had."""

from typing import Any, NamedTuple

import numpy as np

from vech.plot.axes import FAINT, PLAIN, POINTS, WIDE, letters, normal_size, one_line, wrapped
from vech.plot.place import SMALLEST, Place

LEADING = 1.2  # from one label to the next, in letters
BAR = (0.03, 0.035)  # where the colour bar begins beside the matrix, and its width
EXTEND = 0.04  # of the bar, for an arrow
FEW = 200  # rows that have a pixel each on whatever is drawn on
BESIDE_BAR = 0.85  # of the width that there is before a colour bar


SIDES = {
    "labelleft": True,
    "labelbottom": True,
    "labelright": False,
    "labeltop": False,
    "right": False,
    "top": False,
}
"""Where a matrix has its labels, whatever the user's settings say of other pictures."""


class Names(NamedTuple):
    """How rows are named: the size of letters, and rows to the next name."""

    size: float
    step: int


class Frame:
    """Axes for n x n cells; colour bar, bands and dendrogram are parts of them, so placed with them."""

    def __init__(self, ax: Any, size: tuple[float, float], n: int) -> None:
        self.place = Place(ax, size)
        self.axes, self.font, self.n = self.place.axes, self.place.font, n
        self.above, self.beside = 1.0, 0.0  # fractions of the axes that are taken
        self.names: list[str] | None = None
        self.title = ""
        self.axes.set(xlim=(0, n), ylim=(n, 0))
        self.axes.set_aspect("equal", adjustable="box")
        self.axes.grid(False)
        self.axes.minorticks_off()
        self.axes.tick_params(length=0, labelsize=self.font, **SIDES)
        for spine in self.axes.spines.values():
            spine.set(color=FAINT, linewidth=0.6)

    def over(self, height: float, gap: float = 0.01) -> Any:
        """Axes above what there is, as wide as the matrix; in fractions of its side."""
        made = self.axes.inset_axes((0, self.above + gap, 1, height))
        self.above += gap + height
        return self._bare(made, xlim=(0, self.n))

    def left(self, width: float, gap: float = 0.01) -> Any:
        """Axes to the left of what there is, as high as the matrix."""
        self.beside += gap + width
        return self._bare(self.axes.inset_axes((-self.beside, 0, width, 1)), ylim=(self.n, 0))

    def right(self, start: float, width: float, *, height: float = 1.0) -> Any:
        """Axes to the right, at the top."""
        made = self.axes.inset_axes((1 + start, 1 - height, width, height))
        made.grid(False)
        return made

    def number(self, most: int = 6) -> None:
        """Number some rows and columns."""
        step = next(s * 10**k for k in range(20) for s in (1, 2, 5) if self.n <= most * s * 10**k)
        rows = np.arange(0, self.n, step)
        self.axes.set_xticks(rows + 0.5, [str(row) for row in rows])
        self.axes.set_yticks(rows + 0.5, [str(row) for row in rows])

    def beside_bar(self, bar: Any, width: float) -> Any:
        """Axes that go on to the right where a colour bar ends, which gives them its axis."""
        beneath, beyond = (EXTEND * (bar.extend in (end, "both")) for end in ("min", "max"))
        inner = 1 / (1 + beneath + beyond)
        made = self.axes.inset_axes((1 + BAR[0] + BAR[1] + 0.005, beneath * inner, width, inner))
        made.grid(False)
        made.yaxis.tick_right()
        made.yaxis.get_offset_text().set_size(self.font)
        made.yaxis.set_label_position("right")
        bar.ax.tick_params(right=False, labelright=False)
        bar.ax.yaxis.get_offset_text().set_visible(False)
        for side in ("top", "left"):
            made.spines[side].set_visible(False)
        for side in ("bottom", "right"):
            made.spines[side].set(color=FAINT, linewidth=0.6)
        return made

    def colour_bar(self, image: Any, label: str, *, height: float = 1.0, extend: str = "neither") -> Any:
        """The bar that says what colours mean."""
        bar = self.axes.figure.colorbar(
            image, cax=self.right(*BAR, height=height), extend=extend, extendfrac=EXTEND
        )
        bar.outline.set(linewidth=0.6, edgecolor=FAINT)
        bar.ax.tick_params(labelsize=self.font, length=2, width=0.6, color=FAINT)
        bar.ax.yaxis.get_offset_text().set_size(self.font)
        bar.set_label(label, size=self.font, **PLAIN)
        return bar

    def pixels(self) -> int:
        """How many there will be along a side of the matrix."""
        if self.n > FEW:
            self.settle()
        return max(FEW, int(BESIDE_BAR * self.place.inner[0] * self.place.figure.dpi / POINTS))

    def settle(self) -> None:
        """Name rows as far as there is room, and shrink the matrix until nothing leaves its place."""
        seen: list[Names] = []
        held = None
        while (names := self._name(held)) not in seen[-1:]:
            if names in seen:  # smaller names leave room for larger ones, which take it: the smaller stay
                held = names = min(seen[seen.index(names) :], key=lambda some: (some.size, -some.step))
                self._name(held)
            seen.append(names)
            self.place.fit()

    @staticmethod
    def _bare(axes: Any, **limits: Any) -> Any:
        axes.set(xticks=[], yticks=[], **limits)
        axes.axis("off")
        return axes

    def _name(self, names: Names | None = None) -> Names:
        """Titles and labels of the size that there is room for, or labels so."""
        axes, points, least = self.axes, self.place.inner[0], min(self.place.size)
        if self.title:
            size = min(1.25 * normal_size(), max(SMALLEST + 1, least / 20))
            axes.set_title(wrapped(self.title, points, size), y=self.above, pad=4, size=size, **PLAIN)
        if self.names is None:
            return Names(self.font, 1)
        pitch = points / self.n
        if names is None:
            size = float(np.clip(np.floor(2 * pitch / LEADING) / 2, SMALLEST, self.font))
            step = max(1, int(np.ceil(size * LEADING / pitch)))
        else:
            size, step = names
        most = letters(0.25 * least, size)
        shown = [one_line(name, most) for name in self.names[::step]]
        places = np.arange(0, self.n, step) + 0.5
        lie = all(len(name) * WIDE * size < 0.9 * pitch * step for name in shown)
        axes.set_xticks(places, shown, rotation=0 if lie else 90, size=size, **PLAIN)
        axes.set_yticks(places, shown, size=size, **PLAIN)
        axes.tick_params(length=2 if step > 1 else 0, width=0.6, color=FAINT)
        axes.tick_params(axis="y", pad=2 + self.beside * points)
        return Names(size, step)
