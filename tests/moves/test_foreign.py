"""SciPy's sparse arrays with parts that were changed later: refused before compiled code trusts them."""

import re

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech.pairwise import cosine, gram

FULL = np.array([[4.0, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 0.5], [2, 0, 0.5, 6]])
STORE = vech.Packed(vech.pack(FULL))
HALF = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(FULL))
FORMATS = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")

DOORS = {
    "from_sparse": vech.from_sparse,
    "from_sparse lower": lambda A: vech.from_sparse(A, use="lower"),
    "from_sparse explicit": lambda A: vech.from_sparse(A, "lapack-rfp-nl"),
    "SparseHalf": vech.SparseHalf.from_sparse,
    "SparseHalf mean": lambda A: vech.SparseHalf.from_sparse(A, use="mean", triangle="upper"),
    "is_symmetric": vech.sparse.is_symmetric,
    "gram": gram,
    "gram sparse": lambda A: gram(A, store="sparse"),
    "cosine": cosine,
    "cooccurrence": vech.pairwise.cooccurrence,
    "eigsh": lambda A: vech.linalg.eigsh(STORE, 1, M=A),
    "eigsh Minv": lambda A: vech.linalg.eigsh(STORE, 1, M=FULL, Minv=A),
    "eigsh OPinv": lambda A: vech.linalg.eigsh(STORE, 1, sigma=0, OPinv=A),
    "cg": lambda A: vech.linalg.solve(HALF, np.ones(4), solver="cg", M=A),
}

OF_ROWS = {
    "distances": vech.pairwise.distances,
    "jaccard": lambda A: vech.pairwise.distances(A, "jaccard"),
    "kernel": vech.pairwise.kernel,
    "nearest": lambda A: vech.pairwise.nearest(A, 1),
}


def matrix(form, dtype=np.float64):
    return scipy.sparse.csr_array(FULL.astype(dtype)).asformat(form)


def changed(name, value):
    def change(A):
        setattr(A, name, np.asarray(value(getattr(A, name)) if callable(value) else value))

    return change


def at(name, k, value):
    def change(A):
        getattr(A, name)[k] = value

    return change


INDPTR = {
    "falls": ([0, 3, 2, 9, 12], "indptr falls from 3 to 2"),
    "ends at 0": ([0, 19458, 5, 2, 0], "indptr falls from 19458 to 5"),
    "ends below": ([0, 2, 4, 6, -1], "indptr falls from 6 to -1"),
    "begins below": ([-50000, 2, 4, 6, 8], "indptr runs from -50000 to 8, and must run from 0"),
    "begins late": ([1, 2, 4, 6, 8], "indptr runs from 1 to 8, and must run from 0"),
    "ends beyond": (
        [0, 3, 6, 9, 13],
        "indptr runs from 0 to 13, and must run from 0 to at most the 12 stored",
    ),
    "far": ([0, 10**8, 10**8, 10**8, 10**8], "indptr runs from 0 to 100000000"),
    "is short": ([0, 3, 6], "indptr has 3 numbers, and 5 are needed"),
    "is long": ([0, 3, 6, 9, 12, 12], "indptr has 6 numbers, and 5 are needed"),
    "is empty": (np.zeros(0, np.int32), "indptr has 0 numbers, and 5 are needed"),
    "has axes": ([[0, 3, 6, 9, 12]], "indptr has shape (1, 5), and must be an array of 1 dimensions"),
}
COMPRESSED = {
    name: (changed("indptr", np.asarray(value)), text) for name, (value, text) in INDPTR.items()
} | {
    "an index beyond": (at("indices", 2, 4), "indices[2] is 4, and must be 0 to 3"),
    "an index far beyond": (at("indices", -1, 2**31 - 1), "indices[11] is 2147483647, and must be 0 to 3"),
    "an index below": (at("indices", 0, -1), "indices[0] is -1, and must be 0 to 3"),
    "a wide index": (
        changed("indices", lambda x: x.astype(np.int64) + 2**32),
        "indices[0] is 4294967296, and must be 0 to 3",
    ),
    "few indices": (changed("indices", lambda x: x[:7]), "must run from 0 to at most the 7 stored"),
    "few numbers": (changed("data", lambda x: x[:6]), "must run from 0 to at most the 6 stored"),
    "numbers with axes": (
        changed("data", lambda x: x.reshape(2, 6)),
        "data has shape (2, 6), and must be an array of 1",
    ),
}


@cases.each("form", ["csr", "csc"])
@cases.each("door", list(DOORS))
def test_arrays_that_are_no_matrix_are_refused(door, form):
    for case, (change, message) in COMPRESSED.items():
        A = matrix(form)
        change(A)
        with pytest.raises(ValueError, match=re.escape(message)):
            DOORS[door](A)
            pytest.fail(f"{case} is taken")


@cases.each("form", ["coo", "csr", "dok"])
@cases.each("door", [*DOORS, *OF_ROWS])
def test_what_has_not_rows_and_columns_is_named_by_its_shape(door, form):
    A = scipy.sparse.coo_array(np.array([1.0, 0, 2])).asformat(form)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        (DOORS | OF_ROWS)[door](A)


@cases.each("door", list(DOORS))
def test_indices_that_are_no_integers_are_refused(door):
    A = matrix("csr")
    A.indices = A.indices.astype(float)
    with pytest.raises(TypeError, match="indices must hold integers, not float64"):
        DOORS[door](A)
    A = matrix("csr")
    A.indptr = [0, 3, 6, 9, 12]
    with pytest.raises(ValueError, match="indptr has type list, and must be an array of 1 dimensions"):
        DOORS[door](A)


NO_ARRAYS = {
    "masked": (lambda x: np.ma.masked_equal(x, 1), TypeError, "numpy.ma.MaskedArray: a mask would be lost"),
    "a matrix": (np.asmatrix, TypeError, "numpy.matrix"),
    "nothing": (lambda x: None, TypeError, "NoneType"),
    "objects": (lambda x: x.astype(object), TypeError, "object"),
}
PARTS = [("csr", "data"), ("csr", "indices"), ("csc", "indptr"), ("coo", "data"), ("coo", "coords")]
PARTS += [("bsr", "data"), ("dia", "data"), ("dia", "offsets"), ("lil", "rows"), ("lil", "data")]

SPOILT = [(*part, case) for part in PARTS for case in NO_ARRAYS if part[0] != "lil" or case != "objects"]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@cases.each("door", list(DOORS))
def test_what_is_no_plain_array_is_refused(door):
    for form, part, case in SPOILT:
        spoil, error, message = NO_ARRAYS[case]
        A = matrix(form)
        if part == "coords":
            A.coords = (spoil(A.row), A.col)
            part = "row"
        else:
            setattr(A, part, spoil(getattr(A, part)))
        with pytest.raises(error, match=rf"^{part} .*{message}"):
            DOORS[door](A)
            pytest.fail(f"{case} is taken as {part} of {form}")


@cases.each("form", ["xxx", "csc", "dia"])
@cases.each("door", list(DOORS))
def test_a_format_that_is_not_of_the_class_is_refused(door, form):
    A = matrix("csr")
    A._format = form
    with pytest.raises(ValueError, match=f"format is '{form}', and must be that of its class"):
        DOORS[door](A)


def blocks(change):
    A = scipy.sparse.bsr_array(FULL, blocksize=(2, 2))
    change(A)
    return A


def pairs(change):
    A = matrix("coo")
    change(A)
    return A


def lists(change):
    A = matrix("lil")
    change(A)
    return A


def keys(place):
    A = matrix("dok")
    A._dict[place] = 1.0
    return A


def diagonals(change):
    A = matrix("dia")
    change(A)
    return A


OTHERS = {
    "blocks fall": (blocks(changed("indptr", [0, 3, 0])), "indptr falls from 3 to 0"),
    "a block beyond": (blocks(at("indices", 1, 2)), "indices[1] is 2, and must be 0 to 1"),
    "blocks of another shape": (
        blocks(changed("data", np.ones((4, 3, 3)))),
        "blocks of shape (3, 3) do not fill",
    ),
    "blocks of nothing": (blocks(changed("data", np.ones((4, 0, 2)))), "blocks of shape (0, 2) do not fill"),
    "blocks without axes": (
        blocks(changed("data", np.ones(4))),
        "data has shape (4,), and must be an array of 3",
    ),
    "a pair beyond": (
        pairs(at("row", 3, 9)),
        "entry 3 is at (9, 0), which is not in a matrix of 4 rows and 4",
    ),
    "a pair below": (
        pairs(at("col", 1, -1)),
        "entry 1 is at (0, -1), which is not in a matrix of 4 rows and 4",
    ),
    "few rows": (
        pairs(lambda A: setattr(A, "coords", (A.row[:3], A.col))),
        "row has 3 numbers, and data has 12",
    ),
    "a list beyond": (lists(lambda A: A.rows[0].__setitem__(0, 10**9)), "which is not in a matrix of 4 rows"),
    "a list too long": (lists(lambda A: A.rows[1].append(3)), "rows and data are lists of different lengths"),
    "a list of what is no index": (
        lists(lambda A: A.rows[0].__setitem__(0, 2**70)),
        "an index is beyond 64 bits",
    ),
    "a key beyond": (keys((10**9, 0)), "which is not in a matrix of 4 rows and 4 columns"),
    "diagonals twice": (diagonals(changed("offsets", lambda x: x * 0)), "have the offsets [0, 0"),
    "few diagonals": (diagonals(changed("offsets", lambda x: x[:2])), "each needs one of its own"),
}


@cases.each("case", list(OTHERS))
@cases.each("door", list(DOORS))
def test_other_formats_are_judged_as_well(door, case):
    A, message = OTHERS[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        DOORS[door](A.copy() if A.format == "lil" else A)


@cases.each("form", FORMATS)
@cases.each("dtype", [np.int64, np.float32, np.complex128, np.bool])
def test_what_is_sound_is_taken(form, dtype):
    A = matrix(form, dtype)
    kind = "symmetric"
    np.testing.assert_array_equal(vech.from_sparse(A, kind=kind), vech.pack(FULL.astype(dtype), kind=kind))
    np.testing.assert_array_equal(vech.SparseHalf.from_sparse(A, kind=kind).expand(), FULL.astype(dtype))


@cases.each("form", ["csr", "csc"])
@cases.each("index", [np.uint16, np.int64, ">i4"])
def test_room_behind_the_numbers_and_other_integers_are_taken(form, index):
    A = matrix(form)
    A.data, A.indices = np.append(A.data, [9.0, 9]), np.append(A.indices, [77, -1]).astype(index)
    A.indptr = A.indptr.astype(index)
    np.testing.assert_array_equal(vech.from_sparse(A), vech.pack(FULL))
    np.testing.assert_array_equal(vech.SparseHalf.from_sparse(A).expand(), FULL)


@cases.each("far", [100, 2**32, -(2**32), 2**62, -(2**63)])
def test_a_diagonal_beside_the_matrix_does_not_come_in_by_wrapping_around(far):
    A = scipy.sparse.dia_array(FULL)
    full = A.toarray()
    A.data, A.offsets = np.vstack([A.data, np.full(4, 9.0)]), np.append(A.offsets, np.int64(far))
    np.testing.assert_array_equal(vech.SparseHalf.from_sparse(A).expand(), full)
    np.testing.assert_array_equal(vech.from_sparse(A), vech.pack(full))


@cases.each("n", [0, 1])
@cases.each("form", FORMATS)
def test_empty_matrices_are_taken(form, n):
    assert vech.from_sparse(scipy.sparse.csr_array((n, n)).asformat(form)).tolist() == [0.0] * n


@pytest.mark.parametrize("door", ["SparseHalf", "gram", "cosine", "cooccurrence"])
def test_what_is_sorted_is_a_copy_that_was_judged(door, monkeypatch):
    A = scipy.sparse.csr_array((np.ones(4), [1, 0, 1, 0], [0, 2, 4]), shape=(2, 2))
    copy = scipy.sparse.csr_array.copy

    def late(self):
        A.indices[0] = 10**6  # as another thread does
        return copy(self)

    monkeypatch.setattr(scipy.sparse.csr_array, "copy", late)
    with pytest.raises(ValueError, match=re.escape("indices[0] is 1000000, and must be 0 to 1")):
        DOORS[door](A)
