"""A small picture of a store for notebooks: shaded cells, of large matrices means, and the facts."""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.labels import label_text

SIDE = 16  # cells at most, in each direction
SAMPLES = 8  # rows and columns looked at within a cell
MOST_STORED = 2**24  # numbers of a sparse store that are all looked at
PIXELS = 160
POSITIVE, NEGATIVE, UNKNOWN = (33, 102, 172), (178, 24, 43), "#888"
LETTERS = 14  # of a label, before it is cut
FEW = 3  # labels that are named from either end

Array = NDArray[Any]


def html(store: Any) -> str:
    """The picture of any store, and the facts; reads 16,384 numbers at most, or 2^24 that are stored."""
    n, said = store.n, store.describe()
    by_stored = said.triangle is not None and n > SIDE and said.nnz <= MOST_STORED
    if by_stored:
        shown, off = _stored(store)
        is_whole, parts = True, "means of what is stored in"
    else:
        rows = sampled(n)
        numbers = store.block(rows, rows)
        own, once = np.unique(rows, return_index=True)  # of up to 127 rows some are looked at twice
        off = numbers[np.ix_(once, once)][~np.eye(len(own), dtype=np.bool)]
        shown = shades(numbers, rows)
        is_whole, parts = n <= SIDE * SAMPLES, "means over"
    names = None if said.labels is None else [one_line(label) for label in _ends(said.labels, n)]
    facts = {"n": f"{n}", "dtype": f"{store.dtype}", "kind": store.kind}
    if said.layout is not None:
        facts["layout"] = said.layout.name
    if said.triangle is not None:
        facts["stored"] = f"{said.nnz:,} in the {said.triangle} triangle"
    if said.encoding is not None:
        facts["encoding"] = f"{said.encoding}, of {said.domain}"
    if names is not None:
        facts["labels"] = ", ".join(names if n <= 2 * FEW else [*names[:FEW], "...", *names[-FEW:]])
    facts["range"] = range_of(off) + ", of a sample" * (not is_whole)
    facts["bytes"] = f"{store.nbytes:,} (full matrix: {n**2 * store.dtype.itemsize:,})"
    if n > SIDE:
        facts["picture"] = f"{parts} {SIDE} x {SIDE} parts" + ", of a sample" * (not is_whole)
    table = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items()
    )
    picture = svg(shown, names if n <= SIDE else None, numbers if n <= SIDE else None)
    return (
        f'<div style="display:flex;gap:1em;align-items:center">{picture}'
        f"<table><tbody>{table}</tbody></table></div>"
    )


def sampled(n: int) -> NDArray[np.int64]:
    """The rows, and columns, to look at: all of a small matrix, evenly spread ones of a large one."""
    if n <= SIDE:
        return np.arange(n)
    cells, within = np.divmod(np.arange(SIDE * SAMPLES), SAMPLES)
    return ((2 * (cells * SAMPLES + within) + 1) * n) // (2 * SIDE * SAMPLES)


def shades(numbers: Array, rows: Array) -> NDArray[np.float64]:
    """Means over cells of sign times magnitude, the largest off the diagonal 1; NaN for a cell not finite."""
    x = _signed(numbers)
    side = min(len(x), SIDE)
    x[~np.isfinite(x)] = np.nan
    off = np.abs(x[rows[:, None] != rows])
    with np.errstate(all="ignore"):
        most = np.nanmax(off, initial=0.0) or np.nanmax(np.abs(x), initial=0.0)
        x = np.clip(x / most, -1, 1) if most > 0 else x
    per = max(1, len(x) // max(1, side))
    return np.asarray(x.reshape(side, per, side, per).mean(axis=(1, 3)))


def _stored(store: Any) -> tuple[NDArray[np.float64], Array]:
    """Shades of what a sparse store holds, white where it holds nothing, and its numbers off the diagonal."""
    stored = store.to_coo()
    i, j, x = stored.row.astype(np.int64), stored.col.astype(np.int64), _signed(stored.data)
    off = i != j
    most = np.abs(x[off & np.isfinite(x)]).max(initial=0.0) or 1.0
    with np.errstate(invalid="ignore"):
        x = np.clip(np.where(np.isfinite(x), x, np.nan) / most, -1, 1)
    at = i * SIDE // store.n * SIDE + j * SIDE // store.n
    means = np.bincount(at, x, SIDE * SIDE) / np.maximum(np.bincount(at, minlength=SIDE * SIDE), 1)
    return means.reshape(SIDE, SIDE), stored.data[off]


def range_of(off: Array) -> str:
    """The least and the largest number off the diagonal, of both triangles, and how many pairs have none."""
    where = "off the diagonal"
    if not off.size:
        return "no number off the diagonal"
    if off.dtype.kind in "mM":
        known = off[~np.isnat(off)]
        ends = (str(known.min()), str(known.max())) if known.size else ()
    else:
        x = np.abs(off).astype(np.float64) if off.dtype.kind == "c" else _signed(off)
        known = x[np.isfinite(x)]
        ends = (f"{known.min():.4g}", f"{known.max():.4g}") if known.size else ()
        where += " (modulus)" * (off.dtype.kind == "c")
    said = f"{' to '.join(ends)} {where}" if ends else "no finite number"
    missing = (off.size - known.size) // 2
    return said + f", {missing} not finite" * (missing > 0)


def svg(cells: NDArray[np.float64], names: list[str] | None = None, numbers: Array | None = None) -> str:
    """The cells as an inline picture: blue above zero, red below, darker where larger, grey where not finite.

    With names, rows are named on the left; with numbers, each cell shows its own under the pointer.
    """
    side = len(cells)
    letter = min(11.0, 0.9 * PIXELS / max(1, side))
    left = letter * (0.6 * max(map(len, names)) + 0.4) if names else 0.0
    size = PIXELS / max(1, side)
    squares = []
    for i in range(side):
        for j in range(side):
            rect = (
                f'<rect x="{left + j * size:.4g}" y="{i * size:.4g}" width="{size:.4g}" height="{size:.4g}" '
                f'fill="{_color(cells[i, j])}"'
            )
            if numbers is None:
                squares.append(f"{rect}/>")
            else:
                where = f"{i}, {j}" if names is None else f"{names[i]}, {names[j]}"
                squares.append(f"{rect}><title>{escape(f'{where}: {numbers[i, j]!s}')}</title></rect>")
    texts = "".join(
        f'<text x="{left - 0.3 * letter:.4g}" y="{(i + 0.5) * size + 0.35 * letter:.4g}" text-anchor="end" '
        f'font-size="{letter:.3g}" fill="currentColor">{escape(name)}</text>'
        for i, name in enumerate(names or [])
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + PIXELS:.4g}" height="{PIXELS}" role="img">'
        f"{''.join(squares)}{texts}</svg>"
    )


def one_line(label: Any) -> str:
    """A label in one short line."""
    line = " ".join(label_text(label).split())
    return line if len(line) <= LETTERS else line[: LETTERS - 1] + "…"


def _ends(labels: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return labels if n <= SIDE else (*labels[:FEW], *labels[-FEW:])


def _signed(numbers: Array) -> NDArray[np.float64]:
    """Numbers of any dtype as float64: of complex ones the modulus, with the sign of the real part."""
    if numbers.dtype.kind == "c":
        return np.abs(numbers).astype(np.float64) * np.where(numbers.real < 0, -1.0, 1.0)
    if numbers.dtype.kind in "mM":
        return np.where(np.isnat(numbers), np.nan, numbers.astype(np.int64).astype(np.float64))
    with np.errstate(invalid="ignore", over="ignore"):
        return numbers.astype(np.float64)


def _color(shade: float) -> str:
    if np.isnan(shade):
        return UNKNOWN
    strength = abs(shade) ** 0.5  # small numbers shall be seen beside large ones
    ink = POSITIVE if shade > 0 else NEGATIVE
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in ink)
