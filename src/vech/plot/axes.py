"""What pictures share: which stores can be drawn, axes to draw on, and texts that stay where they belong."""

import textwrap
from typing import Any

import numpy as np

from vech.arrays import family, is_array
from vech.linalg.checks import as_packed
from vech.store import Store, way_to_store

PLAIN = {"parse_math": False, "usetex": False}
"""Properties of a text that users wrote: a dollar or an underscore in it is one."""

INK, FAINT, MISSING, DIAGONAL = "0.25", "0.6", "0.65", "0.92"
POSITIVE, NEGATIVE = "#2166ac", "#b2182b"  # the ends of RdBu
WIDE = 0.62  # a letter, in its size
POINTS = 72.0
"""Points of an inch, in which texts are measured."""


def drawable(S: Any, task: str, *, complex_too: bool = False, name: str = "") -> Store:
    """A store of real numbers, or one of a full matrix with its labels; what is empty is refused."""
    if not isinstance(S, Store) and way_to_store(S) is None and is_array(S) and np.ndim(S) == 2:
        S = as_packed(S, task, name or "S")
    if not isinstance(S, Store):
        said = f", and {name} is {type(S).__name__}" if name else f", not {type(S).__name__}"
        way_out = way_to_store(S) or f"vech.Packed.from_full({name or 'S'}) makes one"
        raise TypeError(f"{task} draws a store{said}: {way_out}")
    if family(S.dtype) not in ("biufc" if complex_too else "biuf"):
        own = "S" if hasattr(S, "real") else "S.to_packed()"
        way_out = f"{own}.real has some" if family(S.dtype) == "c" else "astype(float) first"
        raise TypeError(f"{task} draws real numbers, not {S.dtype}: {way_out}")
    if S.n == 0:
        raise ValueError("the matrix is 0 x 0: there is nothing to draw")
    return S


def new_axes(size: tuple[float, float], *, window: bool = True, dpi: float | None = None) -> Any:
    """Axes of a new figure: pyplot's, which a notebook shows, or without a window.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches.
    window : bool
        False for a figure that pyplot does not know, as a file needs.
    dpi : float, optional
        Pixels of an inch.

    Raises
    ------
    ImportError
        Without matplotlib; it names the extra.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib, which the extra 'plot' of vech installs") from None
    figure = pyplot.figure(figsize=size, dpi=dpi) if window else Figure(figsize=size, dpi=dpi)
    return figure.add_subplot()


def one_line(text: Any, most: int = 16) -> str:
    """A name in one line of so many letters at most; what is cut ends in "…"."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: max(1, most - 1)].rstrip() + "…"


def ink() -> Any:
    """The colour of texts and lines on the user's paper."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def brief(x: float) -> str:
    """A number in three digits, or whole."""
    return f"{x:,.0f}" if 1000 <= abs(x) < 1e7 else f"{x:.3g}"


def wrapped(text: str, width: float, size: float) -> str:
    """A title in lines that letters of this size fill up to a width, both in points."""
    return "\n".join(textwrap.fill(line, max(8, int(width / (WIDE * size)))) for line in text.splitlines())


def letters(width: float, size: float) -> int:
    """How many letters of this size are as wide, both in points."""
    return max(3, int(width / (WIDE * size)))


def normal_size() -> float:
    """The size of small texts, in points, as the user's settings have it."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return 0.9 * float(FontProperties(size=rcParams["xtick.labelsize"]).get_size_in_points())


def colours() -> list[str]:
    """Colours of categories that the colour-blind can tell apart, matplotlib's own, the greys last."""
    from matplotlib import style
    from matplotlib.colors import to_rgb

    found = [str(entry["color"]) for entry in style.library["tableau-colorblind10"]["axes.prop_cycle"]]
    return sorted(found, key=lambda colour: len(set(to_rgb(colour))) == 1)
