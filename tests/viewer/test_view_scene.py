"""What the page is told beside tiles: facts, colours and limits, numbers, labels."""

import json

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
from tile_bytes import taken_apart

import vech
from vech.viewer.look import COLOURS
from vech.viewer.scene import NotThereError, Scene


def facts(S, **more):
    scene = Scene(S, title="matrix.npy", **more)
    try:
        return json.loads(json.dumps(scene.facts(), allow_nan=False))
    finally:
        scene.close()


def look(S, **more):
    part = facts(S, **more)["parts"][0]
    return part["content"], part["colours"], part["low"], part["high"]


def random(n, seed=3):
    return np.random.default_rng(seed).normal(size=(n, n))


@pytest.mark.parametrize("name", COLOURS)
def test_colours_are_matplotlibs_of_that_name(name):
    stops = [tuple(bytes.fromhex(colour)) for colour in COLOURS[name]]
    drawn = mpl.colormaps[name].resampled(len(stops))(np.arange(len(stops)), bytes=True)[:, :3]
    assert np.abs(np.array(stops) - drawn.astype(int)).max() <= 1  # it rounds down


def test_numbers_are_drawn_as_what_they_are():
    X = random(30)
    assert look(vech.covariance.correlation(X)) == ("correlation", "RdBu", -1.0, 1.0)
    content, colours, low, high = look(vech.pairwise.distances(X))
    assert (content, colours) == ("distance", "YlGnBu_r") and 0 < low < high
    content, colours, low, high = look(vech.covariance.sample(100 * X))
    assert (content, colours) == (None, "RdBu") and low == -high < 0
    S = vech.SparseHalf.from_sparse(
        2 * scipy.sparse.eye_array(9) + scipy.sparse.diags_array([0.5], offsets=[8], shape=(9, 9)),
        use="upper",
    )
    assert look(S)[:2] == ("similarity", "YlGnBu")


def test_what_is_said_wins():
    S = vech.Packed(np.array([1.0, 0.25, 1.0]))
    assert look(S, content="similarity", limits=(-7.03125, 2.5)) == ("similarity", "YlGnBu", -7.03125, 2.5)


def test_limits_are_those_of_most_numbers_off_the_diagonal_and_can_be_read():
    A = np.clip(random(60), -2.0, 2.0) * 0.123456
    A = np.tril(A, -1) + np.tril(A, -1).T
    A[5, 4] = A[4, 5] = 1e9
    np.fill_diagonal(A, 1e6)
    A[3, 2] = A[2, 3] = np.nan
    low, high = look(vech.Packed(vech.pack(A)))[2:]
    assert 0.2 < high < 0.26 and low == -high and len(str(high)) <= 5


@pytest.mark.parametrize("half", [np.zeros(10), np.full(10, np.nan), np.full(10, 1e308), np.full(10, -3)])
def test_any_numbers_have_limits(half):
    low, high = look(vech.Packed(half))[2:]
    assert low < high


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_matrices_have_facts(n):
    found = facts(vech.Packed(np.ones(n * (n + 1) // 2)))
    assert (found["n"], found["levels"], found["title"]) == (n, [0], "matrix.npy")
    assert len(found["parts"]) == (n > 0)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", ">f8"])
def test_single_numbers_come_as_they_are(dtype):
    half = np.array([0, 1, 1, 0, 0, 1, 1, 1, 0, 1]).astype(dtype)
    scene = Scene(vech.Packed(half), title="")
    sent = "<f4" if scene.facts()["bytes"] == 4 else "<f8"
    np.testing.assert_array_equal(
        taken_apart(scene.tile("value", 0, 0, 0), 0, sent).mean, vech.expand(half).astype(float)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
def test_numbers_are_told_in_all_of_their_digits(dtype):
    rng = np.random.default_rng(4)
    half = rng.normal(size=50 * 51 // 2) * 2.0**60
    half = (half + 1j * half[::-1] if dtype is np.complex128 else half).astype(dtype)
    S = vech.Packed(half, kind="hermitian" if dtype is np.complex128 else None)
    scene, full = Scene(S, title=""), S.expand()
    for i, j in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        told = scene.numbers(i, j)
        rows, columns = slice(32 * i, 32 * i + 32), slice(32 * j, 32 * j + 32)
        np.testing.assert_array_equal([[dtype(text) for text in row] for row in told], full[rows, columns])
    for place in [(2, 0), (0, 2)]:
        with pytest.raises(NotThereError):
            scene.numbers(*place)


def test_labels_are_told_in_one_line():
    labels = ["plain", ("a", "b"), "two\nlines", "<b>&", "x" * 300, 7]
    scene = Scene(vech.Packed(np.ones(21), labels=labels), title="")
    told = scene.labels([0, 1, 2, 3, 4, 5])
    assert told[:4] == ["plain", "a b", "two lines", "<b>&"] and told[5] == "7"
    assert told[4] == "x" * 199 + "…"
    with pytest.raises(NotThereError):
        scene.labels([6])


FOUND = {
    "b": (1, 1),
    "b,c": (1, 2),
    " b , c ": (1, 2),
    "x, y": (3, 3),
    "x, y, b": (3, 1),
    "b, x, y": (1, 3),
    "2": (2, 2),
    "2, 0": (2, 0),
    "b, 0": (1, 0),
    "10": (4, 4),
}


@pytest.mark.parametrize("text", FOUND)
def test_rows_are_found_by_label_or_position(text):
    scene = Scene(vech.Packed(np.ones(15), labels=["a", "b", "c", "x, y", "10"]), title="")
    assert scene.find(text) == FOUND[text]


@pytest.mark.parametrize("text", ["", "z", "5", "-1", "1e0", "a,", ",a", "a,b,c", "٣"])
def test_what_is_no_row_is_not_found(text):
    scene = Scene(vech.Packed(np.ones(15), labels=["a", "b", "c", "x, y", "10"]), title="")
    with pytest.raises(NotThereError):
        scene.find(text)
