"""What a layout looks like: a small matrix of positions, a few words, and who uses it."""

import math
from typing import NamedTuple

import numpy as np

from vech.layouts.dialects import CANONICAL, TABLE, AnyLayout, Dialect, as_layout
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit, RectangularFullPacked, Spiral, TensorOrder

LEGEND = {
    ".": "not stored: the other triangle, or an implied diagonal",
    "'": "stored times the scale",
    "*": "stored as it is in the other triangle: conjugated, where complex",
}


class Words(NamedTuple):
    """A layout in words."""

    order: str
    diagonal: str
    scale: str


def in_words(layout: AnyLayout) -> Words:
    """The order, the diagonal and the scale of a layout.

    Examples
    --------
    >>> in_words(as_layout("clarabel-psd"))
    Words(order='upper by columns, grow', diagonal='stored', scale='sqrt(2) off the diagonal')
    """
    on = "" if layout.diagonal_scale == 1 or layout.diagonal != "stored" else _number(layout.diagonal_scale)
    off = "" if layout.offdiagonal_scale == 1 else _number(layout.offdiagonal_scale)
    scales = (f"{on} on the diagonal" * bool(on), f"{off} off the diagonal" * bool(off))
    return Words(_order(layout), layout.diagonal, ", ".join(filter(None, scales)) or "none")


def picture(layout: AnyLayout, n: int | None = None) -> str:
    """The matrix with the position of each stored number in its place; `LEGEND` has the marks.

    Parameters
    ----------
    layout : layout
        Any; a name goes through `as_layout`.
    n : int, optional
        The side: 4 unless said, 3 for an order that has no other.

    Examples
    --------
    >>> print(picture(as_layout("svec-lower")))
    0   .   .   .
    1'  4   .   .
    2'  5'  7   .
    3'  6'  8'  9
    """
    n = sides(layout)[0] if n is None else n
    rows, columns = layout.pair(np.arange(layout.length(n)), n)
    crossed = np.zeros(len(rows), np.bool)
    if isinstance(layout, Explicit):
        crossed = layout.crossed(np.minimum(rows, columns), np.maximum(rows, columns), n)
    cells = [["."] * n for _ in range(n)]
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        scale = layout.diagonal_scale if i == j else layout.offdiagonal_scale
        cells[i][j] = str(k) + "'" * (scale != 1) + "*" * bool(crossed[k])
    width = max((len(cell) for row in cells for cell in row), default=0)
    return "\n".join("  ".join(cell.ljust(width) for cell in row).rstrip() for row in cells)


def sides(layout: AnyLayout) -> tuple[int, ...]:
    """The sides whose pictures show a layout."""
    if isinstance(layout, TensorOrder):
        return (3,)
    return (4, 5) if isinstance(layout, RectangularFullPacked) else (4,)


def users(name: str) -> list[Dialect]:
    """Who has the layout of this canonical name, or who calls one by this name."""
    return [row for row in TABLE if row.layout == name] or [row for row in TABLE if row.name == name]


def twin(layout: AnyLayout) -> tuple[str, list[str]] | None:
    """The layout of the other triangle whose halves of symmetric matrices are the same, and its libraries.

    Examples
    --------
    >>> twin(as_layout("condensed"))
    ('strict-triu', ['SciPy', 'CVXPY'])
    """
    if not isinstance(layout, Layout) or layout.transposed.name not in CANONICAL:
        return None
    name = layout.transposed.name
    return name, list(dict.fromkeys(row.library for row in users(name) if not row.kind))


def conversions(name: str) -> list[str]:
    """Lines that expand and convert a half of this layout: two of Python and one of the command line.

    Examples
    --------
    >>> print(*conversions("pyscf-tril"), sep="\\n")
    vech.expand(half, "pyscf-tril")
    vech.convert(half, "pyscf-tril", "vech")
    vech convert FILE --from pyscf-tril --to vech -o OUT
    """
    layout = as_layout(name)
    kind = next((row.kind for row in TABLE if row.name == name), "")
    target = "numpy-tril" if layout == Layout() else "vech"
    if kind == "triangular" and layout.triangle == "upper":
        target = "lapack-upper"  # of the same triangle: the other one is zero
    said = f', kind="{kind}"' if kind else ""
    option = f" --kind {kind}" if kind == "skew" else ""  # files do not know triangular ones
    return [
        f'vech.expand(half, "{name}"{said})',
        f'vech.convert(half, "{name}", "{target}"{said})',
        f"vech convert FILE --from {name} --to {target}{option} -o OUT",
    ]


def _order(layout: AnyLayout) -> str:
    match layout:
        case Layout():
            return f"{layout.triangle} by {layout.traversal}, {layout.order}"
        case TensorOrder():
            return layout.components
        case RectangularFullPacked():
            return f"{layout.triangle} in a rectangle{', transposed' * layout.transposed}"
        case Spiral():
            return f"{layout.triangle} in a spiral"
    return f"{layout.triangle}, its own"


def _number(scale: float) -> str:
    names = {math.sqrt(2): "sqrt(2)", 1 / math.sqrt(2): "1/sqrt(2)"}
    return names.get(scale, f"{scale:g}")
