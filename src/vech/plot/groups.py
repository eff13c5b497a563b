"""Bands of colour along a matrix that say to which group each row belongs."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from vech import frames
from vech.arrays import Array
from vech.plot.axes import colours, one_line
from vech.store import Store, check_ordered, check_readable

MOST = 12  # groups that a legend lists


def coded(groups: Iterable[Any], S: Store) -> tuple[Array, list[str]]:
    """The number of each row's group, -1 where it has none, and the names of the groups as they come."""
    if isinstance(groups, str) or not isinstance(groups, Iterable):
        raise TypeError(f"groups must be a sequence, one group for each row, not {groups!r}")
    check_ordered(groups, "groups", "group")
    check_readable(groups, "groups")
    frames.check_along(groups, 0, S.labels, "groups")
    found, n = list(groups), S.n
    if len(found) != n:
        raise ValueError(f"there are {len(found)} groups for {n} rows")
    names: dict[str, int] = {}
    codes = np.empty(n, np.int64)
    for row, group in enumerate(found):
        codes[row] = -1 if frames.is_missing(group) else names.setdefault(str(group), len(names))
    return codes, list(names)


def inks(names: list[str]) -> list[Any]:
    """A colour for each group: the one that its name is, as "#1f77b4", or one of a few, or of a map."""
    from matplotlib import colormaps
    from matplotlib.colors import is_color_like

    few = colours()
    many = colormaps["cividis"](np.linspace(0, 1, max(2, len(names))))
    return [
        name
        if name.startswith("#") and is_color_like(name)
        else few[k]
        if len(names) <= len(few)
        else many[k]
        for k, name in enumerate(names)
    ]


def draw_bands(above: Any, beside: Any, codes: Array, names: list[str]) -> None:
    """The groups of columns on one of the axes, those of rows on the other, in the order drawn."""
    from matplotlib.colors import to_rgba

    palette = np.array([*map(to_rgba, inks(names)), (0, 0, 0, 0)])  # the last one is that of none
    n, band = len(codes), palette[codes]
    options: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest", "origin": "upper"}
    above.imshow(band[None], extent=(0, n, 0, 1), **options)
    beside.imshow(band[:, None], extent=(0, 1, n, 0), **options)


def legend_entries(names: list[str]) -> list[Any]:
    """A patch of colour with the name of each group; of many, the first ones and how many more."""
    from matplotlib.patches import Patch

    shown = names if len(names) <= MOST else names[: MOST - 1]
    entries = [
        Patch(color=ink, label=one_line(name, 18)) for ink, name in zip(inks(names), shown, strict=False)
    ]
    if len(shown) < len(names):
        entries.append(Patch(color="none", label=f"and {len(names) - len(shown)} more"))
    return entries
