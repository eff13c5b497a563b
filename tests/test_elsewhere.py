"""Names of other libraries: each answer runs, and docs/coming-from.md and the dialects say the same."""

import ast
import re

import numpy as np
import pytest
import scipy.sparse

import test_coming_from
import vech
from vech.elsewhere import FUNCTIONS, METHODS
from vech.layouts.dialects import TABLE

CALL = re.compile(r"vech\.\w+(?:\.\w+)?\([^)]*\)")
NAMES = test_coming_from.NAMES | {
    "layout": "numpy-tril",
    "path": "half.npy",
    "store": vech.Packed(vech.pack(np.eye(4))),
    "sd": np.arange(1.0, 5),
}


def meant(call):
    """The function of a call of vech, and the layout in it."""
    node = ast.parse(call, mode="eval").body
    layouts = [
        vech.as_layout(argument.value) for argument in node.args[1:] if isinstance(argument, ast.Constant)
    ]
    return node.func.attr, layouts[0] if layouts else vech.as_layout("vech")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_answer_runs(name, tmp_path, monkeypatch):
    with pytest.raises(AttributeError, match=re.escape(f"vech has no {name!r}: use {FUNCTIONS[name]}")):
        getattr(vech, name)
    monkeypatch.chdir(tmp_path)
    vech.write("half.npy", NAMES["store"])
    calls = CALL.findall(FUNCTIONS[name])
    assert calls
    for call in calls:
        matrix = "distances" if "'condensed'" in call else "matrix"
        eval(call, NAMES | {"matrix": NAMES[matrix]})


@pytest.mark.parametrize(
    ("name", "hint"),
    [("eigvalsh", ": use vech.linalg.eigh(S)"), ("inv", ": use vech.linalg.inverse(S)"), ("save", "")],
)
def test_linalg_answers_names_of_numpys(name, hint):
    said = re.escape(f"module 'vech.linalg' has no attribute {name!r}{hint}") + "$"
    with pytest.raises(AttributeError, match=said):
        getattr(vech.linalg, name)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("sparse", [False, True])
def test_an_answer_about_a_store_runs(name, sparse, tmp_path):
    full = np.full((4, 4), 0.25) + 0.75 * np.eye(4)
    labels = "abcd"
    made = (
        vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full), labels=labels)
        if sparse
        else vech.Packed(vech.pack(full), labels=labels)
    )
    answer = METHODS[name].format(packed="S.to_packed()" if sparse else "S")
    with pytest.raises(AttributeError, match=re.escape(f"no attribute {name!r}: {answer} is the same here")):
        getattr(made, name)
    if name in ("condensed_form", "squareform"):
        made = made - vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4), labels=labels)
    names = {"x": np.ones(4), "b": np.ones(4), "sd": np.ones(4), "i": 2, "j": 1}
    names |= {"row": "c", "column": "b", "labels": ["c", "a"], "names": list("wxyz")}
    names["path"] = tmp_path / "half.npz"
    if "polars" in answer:
        names["polars"] = pytest.importorskip("polars")
    found = eval(answer, {"S": made, "vech": vech, **names})
    assert names["path"].exists() if "write" in answer else found is not None


@pytest.mark.skipif(not test_coming_from.PAGE.exists(), reason="docs/ is not beside the tests")
def test_the_page_says_the_same():
    compared = 0
    moves = [row[1:] for row in test_coming_from.ROWS if re.match(r"vech\.(pack|expand|convert)", row[2])]
    for theirs, ours in moves:
        for name in re.findall(r"(\w+)\(\w+\)", theirs):
            if name in FUNCTIONS and not re.search("layout|pairwise", FUNCTIONS[name]):
                assert meant(ours) in [meant(call) for call in CALL.findall(FUNCTIONS[name])], theirs
                compared += 1
    assert compared >= 10


def test_the_table_of_dialects_says_the_same():
    """Of a symmetric matrix: lower by columns is upper by rows."""
    compared = 0
    for row in TABLE:
        for name in re.findall(r"\b[a-z]\w+\b(?!\()", row.calls):
            answer = FUNCTIONS.get(name, "layout")
            if not re.search("layout|pairwise", answer):
                half = vech.pack(NAMES["distances"], row.name)
                layouts = [meant(call)[1] for call in CALL.findall(answer)]
                assert any(
                    np.array_equal(half, vech.pack(NAMES["distances"], layout)) for layout in layouts
                ), row
                compared += 1
    assert compared >= 10
