"""python -m tools.layouts_page [--write]: docs/layouts.md, from the table in vech.layouts.dialects."""

import sys
from collections.abc import Iterator
from pathlib import Path

from vech.layouts.dialects import CANONICAL, TABLE, as_layout
from vech.layouts.pictures import LEGEND, in_words, picture, sides, twin, users

PAGE = Path(__file__).parent.parent / "docs" / "layouts.md"

HEAD = """\
# Layouts

Where each number of a half stands, under every name that vech knows. This page is written by
`python -m tools.layouts_page --write` from the table in `src/vech/layouts/dialects.py`; in a terminal,
`vech dialects` shows it.

- Each name works wherever a layout is asked for, and is a key of `vech.DIALECTS`. Names of one layout
  mean the same thing.
- Two orders carry most layouts: the runs of a half *grow* (1, 2, ... n numbers) or *shrink* (n, ... 2, 1).
  The halves of a symmetric matrix are equal where the order, the diagonal and the scale are: `numpy-tril`
  and `lapack-upper`, for one. Hermitian, skew and triangular halves are equal only where the triangle
  is, too.
- Check an order with n = 4 at least: at n = 2, and without the diagonal at n = 3, the two orders are one.
- A length never tells whether the diagonal is there: 6 numbers are a 3 x 3 with it or a 4 x 4 without.
- SciPy's `linkage` and its kin ask for no order: `S.to_condensed()` has theirs, whatever the layout of S.
- *kind* is what the matrices of a library are where not symmetric: say it to `expand`, `pack` and `convert`.
"""

PROOF = """\
How a name is proven: *runs*, a test calls the library; *recorded*, a test reads what the library gave;
*read*, somebody read it there, and nothing was run.
"""

LEFT_OUT = """\
## Left out

| what | why |
| --- | --- |
| Matrix Market coordinate, SDPA `.dat-s`, cooler `.cool`, GCTA `.grm.gz` | coordinates, not an order; \
vech reads the first as sparse content |
| PLINK `square`, `square0`, and `bin` without a shape | full squares: pack them, \
`square0` with `use="lower"` |
| ASE's `full_3x3_to_voigt_6_strain` and its inverse | affine: they subtract and add the identity. \
`voigt-strain` fits the strain itself |
| SCS's complex cone `cs` | real and imaginary parts of one number stand side by side |
| Stan's `cov_matrix_free` | numbers of the Cholesky factor, logarithms on its diagonal |
| MathOptInterface's Hermitian cone; `vech` of Stata, GAUSS, EViews, RATS | not verified |
| `voigt` as a name | at least three orders: `voigt-stress`, `vtk-symmetric-tensor`, `abaqus-voigt-stress` |

Next: [Coming from ...](coming-from.md), calls of other libraries beside vech's; or
[Linear algebra](linear-algebra.md)
"""


def page() -> str:
    """docs/layouts.md."""
    return "\n".join((HEAD, *_overview(), *_marks(), PROOF, *_sections(), LEFT_OUT))


def _overview() -> Iterator[str]:
    yield "| layout | order | diagonal | scale | other names |"
    yield "| --- | --- | --- | --- | --- |"
    for name in CANONICAL:
        others = ", ".join(f"`{row.name}`" for row in TABLE if row.layout == name != row.name)
        yield f"| [`{name}`](#{name}) | {' | '.join(in_words(as_layout(name)))} | {others} |"
    yield ""


def _marks() -> Iterator[str]:
    yield "A picture has the position of each number in the half, counted from 0, at its place in the matrix."
    yield ""
    for mark, meaning in LEGEND.items():
        yield f"- `{mark}` {meaning}"
    yield ""


def _sections() -> Iterator[str]:
    for name in CANONICAL:
        layout = as_layout(name)
        order, diagonal, scale = in_words(layout)
        yield f"## {name}\n"
        yield f"{order}; diagonal {diagonal}; scale {scale}.\n"
        if (same := twin(layout)) is not None:
            other, who = same
            yield f"Same numbers for a symmetric matrix: [`{other}`](#{other}) ({'; '.join(who)}).\n"
        for n in sides(layout):
            yield f"```text\n{picture(layout, n)}\n```\n"
        yield "| name | who | calls | proof | mind |"
        yield "| --- | --- | --- | --- | --- |"
        for row in users(name):
            kind = f'kind="{row.kind}"' if row.kind else ""
            mind = " ".join(filter(None, (f"`{kind}`." if kind else "", row.quirks)))
            cells = (f"`{row.name}`", row.library, f"`{row.calls}`", row.proof, mind)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
        print(f"written: {PAGE}")
    elif sys.argv[1:]:
        sys.exit("usage: python -m tools.layouts_page [--write]")
    else:
        print(page(), end="")
