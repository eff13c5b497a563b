"""The table of names: what it may hold, and what answers an unknown name. tests/dialects/ proves the rows."""

import pytest

import cases
import vech
from vech.layouts.dialects import CANONICAL, DIALECTS, TABLE


def test_every_name_is_there_once_and_stands_for_a_canonical_one():
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names) >= 84
    assert {row.layout for row in TABLE} == set(CANONICAL)
    assert set(DIALECTS) == {*CANONICAL, *names}
    for name in CANONICAL:
        assert DIALECTS[name].name == name
    for row in TABLE:
        assert DIALECTS[row.name] == DIALECTS[row.layout]
        assert row.name == row.layout or row.name not in CANONICAL


def test_a_row_says_who_and_how_it_is_known_in_few_words():
    for row in TABLE:
        assert row.library and row.calls
        assert row.kind in ("", "skew", "triangular")
        assert row.proof.split(":")[0].split()[0] in ("runs", "recorded", "read")
        assert len(row.quirks) <= 100, row.name
        assert row.quirks == "" or row.quirks.endswith(".")


def test_a_quirk_that_names_a_layout_names_one_that_exists():
    words = {word.strip(".,:;") for row in TABLE for word in row.quirks.split()}
    named = {
        word
        for word in words
        if word.split("-")[0] in {name.split("-")[0] for name in DIALECTS if "-" in name}
    }
    assert {"mosek-svec", "strict-tril", "fsl-dtifit", "voigt-stress"} <= named
    assert {word for word in named if "-" in word} <= set(DIALECTS)


def test_voigt_is_three_orders():
    assert "voigt" not in DIALECTS
    for name in ("voigt", "Voigt"):
        with pytest.raises(
            ValueError, match=r"three orders.*'voigt-stress' has yz xz xy.*'vtk-symmetric-tensor' xy yz xz"
        ):
            vech.as_layout(name)
        with pytest.raises(ValueError, match=r"'abaqus-voigt-stress' xy xz yz"):
            vech.as_layout(name)


@cases.each(
    ("name", "components", "scale"),
    [
        ("voigt-stress", "xx yy zz yz xz xy", 1),
        ("voigt-strain", "xx yy zz yz xz xy", 2),
        ("mandel", "xx yy zz yz xz xy", 2**0.5),
        ("vtk-symmetric-tensor", "xx yy zz xy yz xz", 1),
        ("abaqus-voigt", "xx yy zz xy xz yz", 1),
        ("abaqus-voigt-strain", "xx yy zz xy xz yz", 2),
        ("toro-information", "xx xy yy zz xz yz", 1),
    ],
)
def test_the_orders_of_tensors_are_those_that_errors_and_docs_say(name, components, scale):
    layout = vech.as_layout(name)
    for k, (row, column) in enumerate(components.split()):
        assert layout.position("xyz".index(row), "xyz".index(column), 3) == k
    assert (layout.diagonal_scale, layout.offdiagonal_scale) == (1, scale)


@cases.each(
    ("word", "nearest"),
    [
        ("squareform", "'scipy-condensed'"),
        ("gemmi", "'pdb-anisou'"),
        ("dipy", "'dipy-lower'"),
        ("TFP", "'tfp-fill-triangular-lower' or 'tfp-fill-triangular-upper'"),
        ("svec", "'svec-lower' or 'svec-upper'"),
        ("pyscf-trill", "'pyscf-tril'"),
        ("numpy-lower", r"'numpy-tril'\?$"),
        ("NumPy upper", r"'numpy-triu'\?$"),
        ("torch_lower", r"'torch-tril'\?$"),
        ("strict-lower", r"'strict-tril'\?$"),
        ("lapack", "'lapack-upper' or 'lapack-lower' or "),
    ],
)
def test_a_library_or_its_function_is_answered_with_its_layout(word, nearest):
    with pytest.raises(ValueError, match=rf"unknown layout '{word}': did you mean {nearest}"):
        vech.as_layout(word)


@pytest.mark.parametrize(
    ("word", "name"), [("VECH", "vech"), ("Numpy-Tril", "numpy-tril"), ("PICOS-svec", "picos-svec")]
)
def test_a_name_in_other_letters_gets_no_other_suggestion(word, name):
    with pytest.raises(ValueError, match=rf"unknown layout '{word}': did you mean '{name}'\?$"):
        vech.as_layout(word)


@pytest.mark.parametrize(
    ("word", "orders"),
    [
        (
            "lower",
            "the lower triangle: 'numpy-tril' goes by rows, 'vech', which is 'lapack-lower', by columns",
        ),
        ("upper-triangle", "the upper triangle: 'numpy-triu' goes by rows, 'lapack-upper' by columns"),
    ],
)
def test_a_triangle_alone_is_told_to_be_two_orders(word, orders):
    with pytest.raises(ValueError, match=rf"^unknown layout '{word}': it is two orders of {orders}$"):
        vech.as_layout(word)


@pytest.mark.parametrize("word", ["vechs", "VECL"])
def test_vech_without_its_diagonal_has_a_name_of_ours(word):
    with pytest.raises(ValueError, match=f"'{word}': it is 'condensed', the lower triangle by columns"):
        vech.as_layout(word)


@cases.each("word", ["zzzzzz", "", "r", "matlab", "fortran", "columns"])
def test_a_word_near_nothing_gets_a_few_choices(word):
    with pytest.raises(
        ValueError,
        match=rf"unknown layout '{word}': choose from vech, lapack-upper, "
        r".*vech\.DIALECTS \(vech dialects\)$",
    ) as caught:
        vech.as_layout(word)
    assert len(str(caught.value)) < 250
