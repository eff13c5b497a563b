"""The place of a picture in its figure, which nothing of it leaves."""

from typing import Any

import numpy as np

from vech.plot.axes import POINTS, new_axes, normal_size

SMALLEST = 5.5  # points of a letter
MARGIN = 0.015  # around a figure of our own
PASSES = 6  # of fitting: what hangs on the size of the axes shrinks with them
LEAST = 0.2  # of the place, which the axes keep whatever stands around them


class Place:
    """Axes and where they were, into which all around them has to fit; a layout engine sees to it itself."""

    def __init__(self, ax: Any, size: tuple[float, float]) -> None:
        self.axes = new_axes(size) if ax is None else ax
        self.figure = self.axes.get_figure(root=True)
        self._is_managed = self.figure.get_layout_engine() is not None
        whole = np.array((MARGIN, MARGIN, 1 - MARGIN, 1 - MARGIN))
        self._bounds = whole if ax is None else np.array(self.axes.get_position(original=True).extents)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in points."""
        left, low, right, high = self._bounds
        box, scale = self.axes.figure.bbox, POINTS / self.figure.dpi
        return float((right - left) * box.width * scale), float((high - low) * box.height * scale)

    @property
    def inner(self) -> tuple[float, float]:
        """Width and height of the axes, in points."""
        self._apply()
        box, scale = self.axes.get_window_extent(), POINTS / self.figure.dpi
        return float(box.width * scale), float(box.height * scale)

    @property
    def font(self) -> float:
        """The size of small texts."""
        return min(normal_size(), max(SMALLEST, min(self.size) / 30))

    def fit(self) -> None:
        """Shrink the axes until nothing that belongs to them leaves the place."""
        if self._is_managed:
            self.figure.draw_without_rendering()
            return
        to_figure = self.axes.figure.transSubfigure.inverted()
        low, high = self._bounds[:2], self._bounds[2:]
        self.axes.set_position((*low, *(high - low)))
        for _ in range(PASSES):
            self._apply()
            own = self.axes.get_position().extents
            everything = self.axes.get_tightbbox()
            if everything is None:  # hidden
                return
            taken = everything.transformed(to_figure).extents
            if (taken[:2] >= low - 1e-4).all() and (taken[2:] <= high + 1e-4).all():
                return
            before, behind = np.maximum(0, own[:2] - taken[:2]), np.maximum(0, taken[2:] - own[2:])
            left = np.maximum(high - low - before - behind, LEAST * (high - low))
            self.axes.set_position((*(low + before), *left))

    def _apply(self) -> None:
        if self._is_managed:
            self.figure.draw_without_rendering()
        else:
            self.axes.apply_aspect()
