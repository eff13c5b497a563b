"""The demonstration: which handwritten digits look alike, from one half of their similarity matrix."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import vech
from vech.io.drafts import atomic

ALIKE = 0.9
"""Cosine similarities below this are set to zero."""

Array = NDArray[Any]
Timed = tuple[float, Any]


def run(
    out: Path, *, overwrite: bool = True, threads: int | None = None, console: Console | None = None
) -> None:
    """Expand the similarities of 1797 digits to dense, CSR and CSC, check, print a table, draw a picture.

    Parameters
    ----------
    out : path
        The picture to write, a `.png`.
    threads : int, optional
        As of `vech.expand`.
    console : rich.console.Console, optional
        Where to print.

    Raises
    ------
    ImportError
        Without scikit-learn and Matplotlib, which come with ``pip install "vech[demo]"``.
    """
    try:
        from matplotlib.figure import Figure
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(f'vech demo needs {error.name}: pip install "vech[demo]"') from error
    if out.suffix.lower() != ".png":
        raise ValueError(f"{out}: the picture is a .png")
    say = (console or Console(highlight=False, soft_wrap=True)).print

    pixels, digits = load_digits(return_X_y=True)
    order = np.argsort(digits, kind="stable")
    pixels, digits = pixels[order], digits[order]
    n = len(digits)
    unit = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    half = vech.pack(unit @ unit.T, use="lower")
    say(f"{n} handwritten digits; {len(half):,} cosine similarities, each held once.")
    _show_lookalikes(say, half, pixels, digits)
    half[half < ALIKE] = 0
    say(f"Similarities below {ALIKE} become zero; {np.count_nonzero(half) / len(half):.1%} are left.\n")

    dense = _timed(lambda: vech.expand(half, threads=threads))
    csr = _timed(lambda: vech.to_csr(half, threads=threads))
    csc = _timed(lambda: vech.to_csc(half, threads=threads))
    plain = _timed(lambda: numpy_full(half, n))
    plain_csr = _timed(lambda: scipy_sparse(half, n).tocsr())
    plain_csc = _timed(lambda: scipy_sparse(half, n).tocsc())
    for name, result in {"CSR": csr[1].toarray(), "CSC": csc[1].toarray(), "NumPy": plain[1]}.items():
        if not np.array_equal(dense[1], result):
            raise ArithmeticError(f"{name} and the dense matrix differ: please report this")

    table = Table("matrix", "bytes", "vech", "NumPy and SciPy recipe", "times faster")
    table.add_row("half", f"{half.nbytes:,}", "", "", "")
    for name, ours, theirs in (("full", dense, plain), ("CSR", csr, plain_csr), ("CSC", csc, plain_csc)):
        times = (f"{1e3 * seconds:.1f} ms" for seconds in (ours[0], theirs[0]))
        table.add_row(name, f"{memory(ours[1]):,}", *times, f"{theirs[0] / ours[0]:.1f}")
    say(table)
    say("Dense, CSR, CSC and the recipes agree in every number.")

    draw(Figure(figsize=(8, 7.2), layout="constrained"), dense[1], digits, out, overwrite)
    say(f"The matrix, sorted by digit, is in {out}.")


def numpy_full(half: Array, n: int) -> Array:
    """Expand as one does with NumPy alone."""
    j, i = np.triu_indices(n)
    full = np.empty((n, n), half.dtype)
    full[i, j] = half
    full[j, i] = half
    return full


def scipy_sparse(half: Array, n: int) -> Any:
    """Collect the nonzeros of both triangles as one does with NumPy and SciPy."""
    from scipy.sparse import coo_array

    j, i = np.triu_indices(n)
    keep = half != 0
    i, j, values = i[keep], j[keep], half[keep]
    off = i != j
    rows, columns = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
    return coo_array((np.concatenate([values, values[off]]), (rows, columns)), shape=(n, n))


def memory(matrix: Any) -> int:
    """Count the bytes of a dense or a compressed matrix."""
    if isinstance(matrix, np.ndarray):
        return matrix.nbytes
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)


def draw(figure: Any, full: Array, digits: Array, out: Path, overwrite: bool) -> None:
    """Draw the matrix with the digits along its sides."""
    axes = figure.add_subplot()
    alike = np.where(full > 0, full, np.nan)
    image = axes.imshow(alike, cmap="magma_r", vmin=ALIKE, vmax=1, interpolation="nearest")
    figure.colorbar(image, label="cosine similarity", shrink=0.8)
    edges = np.flatnonzero(np.diff(digits)) + 0.5
    starts, ends = np.append(0, edges), np.append(edges, len(digits))
    for edge in edges:
        axes.axhline(edge, color="0.8", linewidth=0.5)
        axes.axvline(edge, color="0.8", linewidth=0.5)
    axes.set_xticks((starts + ends) / 2, [str(digit) for digit in range(10)])
    axes.set_yticks((starts + ends) / 2, [str(digit) for digit in range(10)])
    axes.tick_params(length=0)
    axes.set_title(f"{len(digits)} handwritten digits: who looks like whom")
    with atomic(out, overwrite) as file:
        figure.savefig(file, format="png", dpi=300)


def _timed(work: Callable[[], Any]) -> Timed:
    """Give the shortest of three times, and the result."""
    best, result = float("inf"), None
    for _ in range(3):
        result = None
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, result


def _show_lookalikes(say: Callable[..., None], half: Array, pixels: Array, digits: Array) -> None:
    """Draw the two images of different digits that are most alike."""
    i, j = vech.as_layout("vech").pair(np.arange(len(half)), len(digits))
    best = np.argmax(np.where(digits[i] != digits[j], half, 0))
    a, b = i[best], j[best]
    say(f"The two most alike of different digits, {digits[a]} and {digits[b]} ({half[best]:.3f}):")
    shades = np.array(list(" .:-=+*#%@"))
    pictures = (shades[(pixels[k] / 16 * 9).astype(int)].reshape(8, 8) for k in (a, b))
    for left, right in zip(*pictures, strict=True):
        say("   " + "".join(np.repeat(left, 2)) + "      " + "".join(np.repeat(right, 2)), markup=False)
    say("")
