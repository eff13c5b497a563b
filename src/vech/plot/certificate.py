"""What a quantized matrix has lost, tile by tile, as its certificate says."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array
from vech.labels import label_text
from vech.plot.axes import brief, drawable
from vech.plot.cells import Cells, Facts
from vech.plot.content import scale
from vech.plot.frame import Frame
from vech.plot.matrix import draw_cells


class Certificate(NamedTuple):
    """What `certificate` drew.

    Attributes
    ----------
    axes, bar : matplotlib axes, and matplotlib's colour bar
    errors : array, shape (grid, grid)
        The root mean square of the errors in each tile, symmetric.
    worst : (int, int) or None
        The lower tile in which that is largest; None where nothing was lost.
    """

    axes: Any
    bar: Any
    errors: Array
    worst: tuple[int, int] | None


def certificate(
    Q: Any,
    *,
    labels: bool | None = None,
    title: str | None = None,
    cmap: Any = None,
    limits: tuple[float, float] | None = None,
    ax: Any = None,
) -> Certificate:
    """Draw how far a quantized matrix is from its original, a colour for each of its tiles.

    Parameters
    ----------
    Q : Quantized, or Tiled of few bits a number
        Made by `vech.quantize`, or read from a file; the original is not needed.
    labels : bool, optional
        Whether rows and columns are named, as for `vech.plot.heatmap`.
    title : str, optional
        Above the line of norms.
    cmap, limits
        As for `vech.plot.heatmap`: dark is a large error.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Certificate
        The axes, and the errors that they show.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For a store that is not quantized.
    ValueError
        Where codes came without a certificate, for labels that Q does not have, limits that are none, and
        n = 0.

    See Also
    --------
    error : The error of each number, where the original is there.

    Notes
    -----
    Time in proportion to the tiles: no number is read. The colour of a tile is its Frobenius norm in
    ``Q.error.tiles`` over the root of how many numbers it has.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> A = np.eye(64) + 1 / (1 + np.arange(64.0) + np.arange(64.0)[:, None])
    >>> found = certificate(vech.quantize(A, "int4", tile=32))
    >>> found.worst, found.errors.shape
    ((0, 0), (2, 2))
    """
    Q = drawable(Q, "certificate", name="Q")
    if getattr(Q, "encoding", None) is None:
        raise TypeError(
            f"certificate draws what vech.quantize made, not {type(Q).__name__}: "
            "error(S, T) draws S - T of any two stores"
        )
    if (error := Q.error) is None:
        raise ValueError("Q has no certificate to draw: its codes came without an error")
    if labels and Q.labels is None:
        raise ValueError("Q has no labels to draw: Q.with_labels(names) gives it some")
    errors = _by_number(Q, error)
    frame = Frame(ax, (7.0, 6.0), Q.n)
    if Q.labels is not None and labels is not False:
        frame.names = [label_text(label) for label in Q.labels]
    else:
        frame.number()
    nowhere = np.zeros(errors.shape, np.bool)
    facts = Facts(errors.diagonal(), 0.0, float(errors.max()), 0, errors.size)
    colours = scale("similarity", errors, cmap=cmap, limits=limits)
    drawn = draw_cells(frame, Cells(errors, nowhere, nowhere, Q.tile, facts), colours, None)
    said = f"root mean square of errors in {Q.tile} x {Q.tile}"
    bar = frame.colour_bar(drawn.image, said, extend=colours.extend)
    frame.title = "\n".join(filter(None, (title, _in_words(Q.encoding, error))))
    frame.settle()
    worst = divmod(int(np.tril(errors).argmax()), len(errors)) if errors.any() else None
    return Certificate(frame.axes, bar, errors, worst)


def _by_number(Q: Any, error: Any) -> Array:
    """The root mean square in each tile, both triangles."""
    lower = np.tril(error.tiles)
    sides = np.minimum(Q.tile, Q.n - Q.tile * np.arange(len(lower)))
    whole = lower + np.tril(lower, -1).T
    return np.asarray(whole / np.sqrt(np.multiply.outer(sides, sides)))


def _in_words(encoding: str, error: Any) -> str:
    parts = (
        f"{encoding}: largest {brief(error.max)}",
        f"Frobenius {brief(error.frobenius)}",
        f"spectral at most {brief(error.spectral_bound)}",
    )
    return ";  ".join(parts)
