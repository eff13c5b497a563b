"""A small picture of a store or factor for notebooks: shaded cells, of large matrices means, and facts."""

from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.labels import printable

SIDE = 16  # cells at most, in each direction
SAMPLES = 8  # rows and columns looked at within a cell
STORED = 2**17  # numbers of a sparse store that are looked at
MOST_STORED = 2**24  # of which these are taken: in 16 ms where it is all, 0.1 s of so many
PIXELS = 160
POSITIVE, NEGATIVE, UNKNOWN = (33, 102, 172), (178, 24, 43), "#888"
LETTERS = 14  # of a label, before it is cut
FEW = 3  # labels that are named from either end

Array = NDArray[Any]


class Seen(NamedTuple):
    """Shades of cells, the numbers off the diagonal that were looked at, and all those of a small matrix."""

    cells: NDArray[np.float64]
    off: Array
    numbers: Array | None
    is_whole: bool
    parts: str


def html(store: Any) -> str:
    """The picture of any store, and the facts; of a large one a sample, and nothing that takes long."""
    n, said = store.n, store.describe()
    names = _names(said.labels, n)
    facts = {"n": f"{n}", "dtype": f"{store.dtype}", "kind": store.kind}
    if said.layout is not None:
        facts["layout"] = said.layout.name
    if said.triangle is not None:
        facts["stored"] = f"{said.nnz:,} in the {said.triangle} triangle"
    if said.encoding is not None:
        facts["encoding"] = f"{said.encoding}, of {said.domain}"
    if said.tile is not None:
        facts["tiles"] = f"of {said.tile} rows, in files"
    if names is not None:
        facts["labels"] = _listed(names, n)
    seen = _seen(store, said)
    if isinstance(seen, Seen):
        facts["range"] = range_of(seen.off) + ", of a sample" * (not seen.is_whole)
    facts["memory"] = _memory(store.nbytes, n, store.dtype)
    if not isinstance(seen, Seen):
        facts["picture"] = f"none: {seen}"
        return page(facts, "")
    if n > SIDE:
        facts["picture"] = f"{seen.parts} {SIDE} x {SIDE} parts" + ", of a sample" * (not seen.is_whole)
    return page(facts, svg(seen.cells, names if n <= SIDE else None, seen.numbers))


def factor_html(factor: Any, view: str | None = None) -> str:
    """The picture of a Cholesky factor, or of its view L or L^H, and the facts: what L tells as it is."""
    n, rows = factor.n, sampled(factor.n)
    names = _names(factor._labels, n)
    facts = {"n": f"{n}", "dtype": f"{factor.dtype}"}
    facts |= {"factor": "S = L L^H"} if view is None else {"triangle": f"{view} of S = L L^H"}
    if names is not None:
        facts["labels"] = _listed(names, n)
    try:
        numbers = factor._sample(rows)
    except (OSError, ValueError) as error:
        numbers = _why(error)
    part = ", of a sample" * (n > SIDE * SAMPLES)
    picture = ""
    if not isinstance(numbers, str):
        if view is None:
            facts["logdet"] = f"{factor.logdet():.6g}"
        facts["range"] = range_of(numbers[rows[:, None] > rows]) + part
        small = n <= SIDE
        numbers = numbers.conj().T if view == "L^H" else numbers
        picture = svg(shades(numbers, rows), names if small else None, numbers if small else None)
    facts["memory"] = _memory(factor.nbytes, n, factor.dtype)
    if isinstance(numbers, str):
        facts["picture"] = f"none: {numbers}"
    elif n > SIDE:
        facts["picture"] = f"means of {view or 'L'} over {SIDE} x {SIDE} parts" + part
    return page(facts, picture)


def page(facts: dict[str, str], picture: str) -> str:
    """A picture with a table of facts beside it; nothing of the facts is HTML."""
    table = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items()
    )
    return (
        f'<div style="display:flex;gap:1em;align-items:center">{picture}'
        f"<table><tbody>{table}</tbody></table></div>"
    )


def _seen(store: Any, said: Any) -> Seen | str:
    """What is seen of the numbers, or why nothing is."""
    is_sparse = said.triangle is not None and store.n > SIDE
    if is_sparse and said.nnz > MOST_STORED:
        return f"{said.nnz:,} numbers take a while; vech.plot.heatmap(S) looks at all"
    try:
        return _stored(store, said) if is_sparse else _sampled(store)
    except (OSError, ValueError) as error:
        return _why(error)


def _why(error: OSError | ValueError) -> str:
    """Why nothing was read: tiles that are not done, damaged files."""
    return printable(getattr(error, "strerror", None) or error)


def _sampled(store: Any) -> Seen | str:
    n, rows = store.n, sampled(store.n)
    numbers = store._glance(rows)
    if isinstance(numbers, str):
        return numbers
    own, once = np.unique(rows, return_index=True)  # of up to 127 rows some are looked at twice
    off = numbers[np.ix_(once, once)][~np.eye(len(own), dtype=np.bool)]
    shown = numbers if n <= SIDE else None
    return Seen(shades(numbers, rows), off, shown, n <= SIDE * SAMPLES, "means over")


def sampled(n: int) -> NDArray[np.int64]:
    """The rows, and columns, to look at: all of a small matrix, of a large one neighbours within each cell.

    Neighbours, because tiles, codes and pages of files are read whole.
    """
    if n <= SIDE:
        return np.arange(n)
    cells, within = np.divmod(np.arange(SIDE * SAMPLES), SAMPLES)
    if n <= 2 * SIDE * SAMPLES:
        return ((2 * (cells * SAMPLES + within) + 1) * n) // (2 * SIDE * SAMPLES)
    return ((2 * cells + 1) * n) // (2 * SIDE) - SAMPLES // 2 + within


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


def _stored(store: Any, said: Any) -> Seen:
    """Shades of what a sparse store holds, white where it holds nothing, and its numbers off the diagonal."""
    n, every = said.n, -(-said.nnz // STORED)
    held = store.to_coo(part=said.triangle)
    i, j, x = (of[::every] for of in (held.row.astype(np.int64), held.col.astype(np.int64), held.data))
    off = i != j
    mirrored = -_signed(x[off]) if "skew" in said.kind else _signed(x[off])
    i, j = np.append(i, j[off]), np.append(j, i[off])
    shown = np.append(_signed(x), mirrored)
    most = np.abs(shown[np.isfinite(shown) & (i != j)]).max(initial=0.0) or 1.0
    with np.errstate(invalid="ignore"):
        shown = np.clip(np.where(np.isfinite(shown), shown, np.nan) / most, -1, 1)
    at = i * SIDE // n * SIDE + j * SIDE // n
    means = np.bincount(at, shown, SIDE * SIDE) / np.maximum(np.bincount(at, minlength=SIDE * SIDE), 1)
    both = np.append(x[off], -x[off] if "skew" in said.kind else x[off])
    return Seen(means.reshape(SIDE, SIDE), both, None, every == 1, "means of what is stored in")


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
    line = printable(label)
    return line if len(line) <= LETTERS else line[: LETTERS - 1] + "…"


def _names(labels: tuple[Any, ...] | None, n: int) -> list[str] | None:
    """All labels of a small matrix in short lines, of a large one the first and last."""
    if labels is None:
        return None
    return [one_line(label) for label in (labels if n <= SIDE else (*labels[:FEW], *labels[-FEW:]))]


def _listed(names: list[str], n: int) -> str:
    return ", ".join(names if n <= 2 * FEW else [*names[:FEW], "...", *names[-FEW:]])


def _memory(nbytes: int, n: int, dtype: np.dtype[Any]) -> str:
    return f"{_size(nbytes)} (full matrix: {_size(n * n * dtype.itemsize)})"


def _size(nbytes: int) -> str:
    power = max(0, min(5, (nbytes.bit_length() - 1) // 10))
    unit = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")[power]
    return f"{nbytes:,} {unit}" if not power else f"{nbytes / 2 ** (10 * power):.1f} {unit}"


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
