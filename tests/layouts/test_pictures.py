"""Pictures and words of layouts, against drawings made by hand."""

import numpy as np

import cases
import reference
import vech
from vech.layouts.dialects import CANONICAL, DIALECTS, TABLE
from vech.layouts.pictures import conversions, in_words, picture, sides, twin, users

DRAWN = {
    "vech": """
        0 . . .
        1 4 . .
        2 5 7 .
        3 6 8 9
    """,
    "lapack-upper": """
        0 1 3 6
        . 2 4 7
        . . 5 8
        . . . 9
    """,
    "numpy-tril": """
        0 . . .
        1 2 . .
        3 4 5 .
        6 7 8 9
    """,
    "condensed": """
        . . . .
        0 . . .
        1 3 . .
        2 4 5 .
    """,
    "pyriemann-upper": """
        0 1' 2' 3'
        . 4  5' 6'
        . .  7  8'
        . .  .  9
    """,
    "nilearn-sym-vec": """
        0' .  .  .
        1  2' .  .
        3  4  5' .
        6  7  8  9'
    """,
    "lapack-rfp-nl": """
        1 .  .  .
        2 7  .  .
        3 8 0* .
        4 9 5* 6*
    """,
    "tfp-fill-triangular-upper": """
        0 1 2 3
        . 5 6 7
        . . 9 8
        . . . 4
    """,
    "mandel": """
        0 5' 4'
        . 1  3'
        . .  2
    """,
}


@cases.each("name", list(DRAWN))
def test_a_picture_is_what_one_would_draw(name):
    drawn = [line.split() for line in DRAWN[name].strip().splitlines()]
    assert [line.split() for line in picture(DIALECTS[name]).splitlines()] == drawn


def test_columns_stand_under_each_other():
    lines = picture(vech.as_layout("svec-upper"), 5).splitlines()
    assert lines[0] == "0    1'   3'   6'   10'"
    assert lines[4] == ".    .    .    .    14"


@cases.each("name", CANONICAL)
def test_every_layout_has_pictures_with_each_position_once(name):
    layout = DIALECTS[name]
    for n in sides(layout):
        cells = [line.split() for line in picture(layout, n).splitlines()]
        assert [len(line) for line in cells] == [n] * n
        seen = sorted(int(cell.rstrip("'*")) for line in cells for cell in line if cell != ".")
        assert seen == list(range(layout.length(n)))


def test_odd_and_even_sides_are_shown_where_they_differ():
    assert sides(vech.as_layout("lapack-rfp-tu")) == (4, 5)
    assert sides(vech.as_layout("vech")) == (4,)
    assert sides(vech.as_layout("voigt-strain")) == (3,)


@cases.each(
    ("layout", "said"),
    [
        ("vech", ("lower by columns, shrink", "stored", "none")),
        ("scipy-condensed", ("upper by rows, shrink", "zero", "none")),
        ("scs-psd", ("lower by columns, shrink", "stored", "sqrt(2) off the diagonal")),
        ("nilearn-sym-vec", ("lower by rows, grow", "stored", "1/sqrt(2) on the diagonal")),
        ("lapack-rfp-nu", ("upper in a rectangle", "stored", "none")),
        ("lapack-rfp-tl", ("lower in a rectangle, transposed", "stored", "none")),
        ("tfp-fill-triangular-lower", ("lower in a spiral", "stored", "none")),
        ("voigt-strain", ("xx yy zz yz xz xy", "stored", "2 off the diagonal")),
    ],
)
def test_a_layout_in_words(layout, said):
    assert in_words(vech.as_layout(layout)) == said


def test_a_layout_of_ones_own_has_words_and_a_picture():
    own = vech.Layout("upper", "rows", diagonal_scale=3, offdiagonal_scale=0.5)
    assert in_words(own) == ("upper by rows, shrink", "stored", "3 on the diagonal, 0.5 off the diagonal")
    assert picture(own, 2) == "0'  1'\n.   2'"
    unit = vech.Layout(diagonal="one", diagonal_scale=3)
    assert in_words(unit) == ("lower by columns, shrink", "one", "none")
    assert picture(unit, 0) == picture(vech.as_layout("vech"), 0) == ""


def test_users_of_a_canonical_name_are_all_and_of_another_the_one():
    assert {row.name for row in users("svec-upper")} == {
        row.name for row in TABLE if row.layout == "svec-upper"
    }
    assert [row.library for row in users("pyscf-tril")] == ["PySCF"]


@cases.each("name", CANONICAL)
def test_the_twin_of_a_layout_has_the_same_half_of_a_symmetric_matrix_and_no_other_has(name):
    layout, same = DIALECTS[name], set()
    n = sides(layout)[-1]
    numbers = np.random.default_rng(0).standard_normal((n, n))
    for other in set(CANONICAL) - {name}:
        if n in sides(DIALECTS[other]) and layout.diagonal == DIALECTS[other].diagonal:
            halves = [reference.pack(numbers + numbers.T, DIALECTS[key]) for key in (name, other)]
            same |= {other} if np.array_equal(*halves) else set()
    assert same == ({twin(layout)[0]} if twin(layout) else set())


def test_a_twin_names_the_libraries_whose_matrices_are_symmetric():
    assert twin(vech.as_layout("r-dist")) == ("strict-triu", ["SciPy", "CVXPY"])
    assert twin(vech.as_layout("pyriemann-upper")) == (
        "svec-lower",
        ["SCS", "CVXPY internals", "CVXOPT", "MOSEK"],
    )
    assert "PyMC" not in twin(vech.as_layout("vech"))[1]  # triangular
    assert twin(vech.as_layout("strict-tril")) is None
    assert twin(vech.as_layout("mandel")) is None


@cases.each("name", list(DIALECTS))
def test_the_conversions_of_a_name_run_and_keep_the_matrix(name):
    expand, convert, command = conversions(name)
    layout = vech.as_layout(name)
    n = sides(layout)[-1]
    half = np.random.default_rng(0).standard_normal(layout.length(n))
    full = eval(expand, {"vech": vech, "half": half})
    kind = next((row.kind for row in TABLE if row.name == name), "") or "symmetric"
    mirror = {"symmetric": 1, "skew": -1}.get(kind)
    if mirror:
        np.testing.assert_array_equal(full, mirror * full.T)
    else:
        assert not (np.triu(full, 1).any() and np.tril(full, -1).any())
    i, j = layout.pair(np.arange(len(half)), n)
    scales = np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale)
    np.testing.assert_allclose(full[i, j] * scales, half, rtol=1e-15)

    target = command.split("--to ")[1].split()[0]
    assert f'"{target}"' in convert and target != layout.name
    converted = eval(convert, {"vech": vech, "half": half})
    np.testing.assert_array_equal(reference.expand(converted, DIALECTS[target], kind), full)
