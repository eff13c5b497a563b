"""`vech info`: several files, labels, JSON, and matrices that are none of ours."""

import json

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import vech

FULL = np.array([[1.0, 2, 0], [2, -5, 3], [0, 3, 9]])


def save(name, matrix, labels=None):
    vech.write(name, vech.Packed(vech.pack(matrix), labels=labels))


def test_several_files_come_one_after_the_other(works):
    save("a.npy", FULL)
    np.save("b.npy", FULL)
    out = works("info", "a.npy", "b.npy")
    assert out.index("a.npy: symmetric half") < out.index("b.npy: full matrix 3 x 3")


def test_labels_are_listed_and_many_are_cut(works):
    save("a.npz", FULL, ["x", "y", "z"])
    assert "3 labels: x, y, z\n" in works("info", "a.npz")
    save("b.npz", np.eye(12), [f"k{i}" for i in range(12)])
    assert "12 labels: k0, k1, k2, k3, k4, k5, k6, k7, ...\n" in works("info", "b.npz")


def test_of_a_full_matrix_it_says_whether_it_is_symmetric(works):
    np.save("good.npy", FULL)
    assert "\nsymmetric: both triangles agree\n" in works("info", "good.npy")
    bad = FULL.copy()
    bad[0, 2], bad[1, 0] = 7, 2.5
    np.save("bad.npy", bad)
    scipy.sparse.save_npz("bad.npz", scipy.sparse.csr_array(bad))
    np.savetxt("bad.csv", bad, delimiter=",")
    for name, where in (("bad.npy", ""), ("bad.npz", ""), ("bad.csv", "line 3: ")):
        said = works("info", name).splitlines()[1]
        assert said.startswith(f"{where}matrix is not symmetric: a[2, 0] is 0.0, but a[0, 2] is 7.0"), name
        assert said.endswith("; vech pack has --use and --tolerance")


@pytest.mark.parametrize(
    "matrix, kind",
    [
        (FULL + 1j * (np.triu(FULL, 1) - np.tril(FULL, -1)), "hermitian"),
        (FULL * 1j, "symmetric"),
        (np.triu(FULL, 1) - np.tril(FULL, -1), "skew"),
        (FULL.astype("u1"), "symmetric"),
    ],
)
def test_other_kinds_are_seen(works, matrix, kind):
    np.save("a.npy", matrix)
    assert f"\n{kind}: both triangles agree\n" in works("info", "a.npy")


def test_numbers_without_a_sign_are_not_tried_as_skew(works):
    np.save("a.npy", np.array([[1, 2], [3, 4]], "u1"))
    assert "matrix is not symmetric: a[1, 0] is 3, but a[0, 1] is 2" in works("info", "a.npy")


def test_5_x_7_is_no_matrix_of_ours(fails):
    wide = np.arange(35.0).reshape(5, 7)
    np.save("a.npy", wide)
    scipy.sparse.save_npz("a.npz", scipy.sparse.csr_array(wide))
    scipy.io.mmwrite("a.mtx", wide)
    for name in ("a.npy", "a.npz"):
        message = fails("info", name)
        assert message == (
            f"{name}: has shape (5, 7): one square matrix (n, n) or one half (length,) fits; "
            "data, rows by columns, are for vech covariance"
        )
    assert "5" in fails("info", "a.mtx")


def test_what_is_wrong_with_one_of_several_files_is_said_in_its_place(vech_run, there):
    save("a.npy", FULL)
    (there / "odd.csv").write_text("1,2\n2,x\n")
    code, out, err = vech_run("info", "none.npy", "a.npy", "a.docx", "odd.csv")
    lines = out.decode().splitlines()
    assert lines[0] == "none.npy: No such file or directory"
    assert lines[1] == "a.npy: symmetric half, float64"
    assert lines[-2].startswith("a.docx: the suffix '.docx' is of no file format")
    assert lines[-1].startswith("odd.csv, line 2: ")
    assert (code, err) == (2, "vech: 3 of 4 files could not be read\n")


def test_json_has_one_object_a_file(works):
    save("a.npz", FULL, [("x", 1), "y", 3])
    np.save("b.npy", np.arange(36))
    a, b = json.loads(works("info", "a.npz", "b.npy", "--json"))
    assert a == {
        "file": "a.npz",
        "holds": "symmetric half",
        "dtype": "float64",
        "kind": "symmetric",
        "not_symmetric": None,
        "n": 3,
        "labels": [{"tuple": ["x", 1]}, "y", 3],
        "tiles": None,
        "quantized": None,
        "stored": 6,
        "nonzeros": 5,
        "nans": 0,
        "smallest": -5.0,
        "largest": 9.0,
        "cases": [
            {
                "as": "vech",
                "n": 3,
                "nonzeros": 7,
                "bytes": {"half": 48, "full": 72, "csr": 100},
                "smallest": "half",
            }
        ],
    }
    assert b["n"] is None and {case["n"] for case in b["cases"]} >= {8, 9}


def test_json_of_what_it_has_no_numbers_for(works):
    np.save("a.npy", np.array([[np.inf, 1], [2, np.nan]]))
    np.save("b.npy", np.array([["2020-01-01"]], "M8[D]"))
    np.save("c.npy", np.zeros((0, 0)))
    a, b, c = json.loads(works("info", "a.npy", "b.npy", "c.npy", "--json"), parse_constant=pytest.fail)
    assert (a["smallest"], a["largest"], a["nans"]) == (1, "inf", 1)
    assert a["not_symmetric"] == "matrix is not symmetric: a[1, 0] is 2.0, but a[0, 1] is 1.0"
    assert b["largest"] == "2020-01-01"
    assert (c["stored"], c["smallest"], c["kind"]) == (0, None, "symmetric")


def test_json_has_errors_in_their_place(vech_run):
    save("a.npy", FULL)
    code, out, err = vech_run("info", "a.npy", "none.npy", "--json")
    a, none = json.loads(out)
    assert (code, a["file"], none) == (
        2,
        "a.npy",
        {"file": "none.npy", "error": "none.npy: No such file or directory"},
    )
    assert err == "vech: 1 of 2 files could not be read\n"


def test_labels_cannot_command_the_terminal(works):
    save("a.npz", np.eye(2), ["\x1b[2J", "[red]"])
    assert r"2 labels: \x1b[2J, [red]" in works("info", "a.npz")
    assert json.loads(works("info", "a.npz", "--json"))[0]["labels"] == ["\x1b[2J", "[red]"]
    assert "\x1b" not in works("info", "a.npz", "--json")
