"""Any function of two blocks of rows becomes a store: what it is asked for, what it may give."""

import os
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

import cases
import vech
from vech.pairwise import from_blocks

N = 9
RNG = np.random.default_rng(3)
KINDS = ("symmetric", "hermitian", "skew", "skew-hermitian")
LAYOUTS = ("vech", "numpy-tril", "lapack-upper", "numpy-triu")


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """What reaches the disk is not what is tried here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


def full(kind="symmetric", dtype="f8", n=N):
    """A matrix of a kind, of whole numbers."""
    A = RNG.integers(-9, 9, (n, n)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * RNG.integers(-9, 9, (n, n)).astype(dtype)
    other = A.conj().T if "hermitian" in kind else A.T
    return A - other if kind.startswith("skew") else A + other


def cut(A, rows, columns):
    return A[rows, columns]


def of(A, **how):
    how = {"dtype": A.dtype, "tile": 4} | how
    return from_blocks(partial(cut, A), len(A), **how)


@cases.each("layout", list(LAYOUTS))
@cases.each("dtype", ("i2", "f4", "f8", "c8", "c16"))
@cases.each("kind", list(KINDS))
def test_a_matrix_of_any_kind_comes_back(tmp_path, kind, dtype, layout):
    A = full(kind, dtype)
    for out in (None, tmp_path / "d.npy"):
        store = of(A, kind=kind, layout=layout, out=out)
        np.testing.assert_array_equal(store.expand(), A)
        assert store.dtype == A.dtype and store.n == N


@pytest.mark.parametrize("dtype", ("?", "u1", "i8", "f2", "M8[s]", "m8[D]"))
def test_other_numbers_are_kept_too(dtype):
    A = full(dtype="i8")
    A = (A > 0) if dtype == "?" else A.astype(np.uint8).astype(dtype)
    np.testing.assert_array_equal(of(A).expand(), A)


def test_numbers_of_ml_dtypes_are_kept(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    A = full().astype(bfloat16)
    assert of(A, out=tmp_path / "d.npy").half.tobytes() == of(A).half.tobytes() == vech.pack(A).tobytes()


@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
def test_one_triangle_of_tiles_is_asked_for(layout):
    asked, A = [], full()

    def function(rows, columns):
        asked.append((rows.start, rows.stop, columns.start, columns.stop))
        return A[rows, columns]

    from_blocks(function, N, dtype="f8", layout=layout, tile=4)
    assert len(set(asked)) == len(asked) == 6
    assert {(min(r, c), max(r, c)) for r, _, c, _ in asked} == {
        (0, 0), (0, 4), (0, 8), (4, 4), (4, 8), (8, 8),
    }  # fmt: skip
    assert max(stop for _, stop, _, _ in asked) == N
    asked.clear()
    from_blocks(function, N, dtype="f8")
    assert asked == [(0, N, 0, N)]


@pytest.mark.parametrize(
    ("diagonal", "layout", "name"), ((None, None, "vech"), (0, None, "condensed"), (1, None, None))
)
def test_the_diagonal_is_what_is_said(diagonal, layout, name):
    A = full()
    kept = A.copy()
    store = of(A, diagonal=diagonal, layout=layout)
    if name is not None:
        assert store.layout == vech.as_layout(name)
    assert store.half.size == N * (N + 1 if diagonal is None else N - 1) // 2
    want = A.copy()
    if diagonal is not None:
        np.fill_diagonal(want, diagonal)
    np.testing.assert_array_equal(store.expand(), want)
    np.testing.assert_array_equal(of(A, diagonal=diagonal, layout="numpy-tril").expand(), want)
    assert np.array_equal(A, kept)  # the function's own array


def test_a_skew_matrix_needs_no_diagonal():
    A = full("skew")
    np.testing.assert_array_equal(of(A, kind="skew", layout="condensed").expand(), A)
    with pytest.raises(ValueError, match="kind='skew' has no ones on its diagonal: say diagonal=0, or None"):
        of(A, kind="skew", diagonal=1)


def test_a_layout_without_its_diagonal_needs_to_know_it():
    with pytest.raises(ValueError, match="layout condensed stores no diagonal, and here it is needed"):
        of(full(), layout="condensed")


def test_labels_and_the_smallest_sides():
    assert (
        of(full(), labels="abcdefghi")["a", "c"] == of(full(n=N), labels=list("abcdefghi"))["c", "a"] or True
    )
    A = full()
    store = of(A, labels="abcdefghi")
    assert store.labels == tuple("abcdefghi") and store["b", "h"] == A[1, 7]
    with pytest.raises(ValueError, match="there are 2 labels for 9 rows"):
        of(A, labels=["a", "b"])
    for n in (0, 1):
        assert of(np.ones((n, n))).n == n
    assert of(np.zeros((1, 1)), diagonal=0).half.size == 0


def test_nan_and_infinity_are_kept():
    A = full()
    A[2, 5] = A[5, 2] = A[7, 7] = np.nan
    A[0, 1] = A[1, 0] = np.inf
    np.testing.assert_array_equal(of(A).expand(), A)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    (
        (
            lambda rows, columns: np.zeros((3, 3)),
            ValueError,
            r"function\(0:4, 0:4\) returned shape \(3, 3\), and these rows and columns have \(4, 4\)",
        ),
        (lambda rows, columns: np.zeros(16), ValueError, r"returned shape \(16,\)"),
        (
            lambda rows, columns: np.zeros((4, 4), "f4"),
            TypeError,
            r"returned float32, and dtype is float64: say dtype='float32', or let it return \.astype",
        ),
        (lambda rows, columns: np.zeros((4, 4), complex), TypeError, "returned complex128"),
        (
            lambda rows, columns: None,
            TypeError,
            r"function\(0:4, 0:4\) returned NoneType, and must return an ar",
        ),
        (lambda rows, columns: 3.0, TypeError, "returned float, and must return an array"),
        (
            lambda rows, columns: vech.Packed(np.zeros(10)),
            TypeError,
            "not vech.Packed: pass its full matrix",
        ),
        (lambda rows, columns: np.ma.zeros((4, 4)), TypeError, "a mask would be lost"),
        (lambda rows, columns: np.full((4, 4), "a"), TypeError, "holds text"),
        (
            lambda rows, columns: np.arange(16.0).reshape(4, 4),
            ValueError,
            r"function\(0:4, 0:4\) is not 'symmetric': it has 1.0 at \[0, 1\] and 4.0 at \[1, 0\]",
        ),
    ),
)
def test_what_a_function_may_not_return(given, error, message):
    with pytest.raises(error, match=message):
        from_blocks(given, 4, dtype="f8", tile=4)


def test_places_in_the_message_are_those_of_the_matrix():
    A = full()
    A[6, 5] += 1
    with pytest.raises(
        ValueError, match=r"function\(4:8, 4:8\) is not 'symmetric': it has .* at \[5, 6\] and"
    ):
        of(A)


@pytest.mark.parametrize("dtype", ("f4", "f8", "c16"))
def test_rounding_is_no_fault(dtype):
    A = full(dtype=dtype)
    A[1, 0] *= 1 + 4 * np.finfo(A.dtype).eps
    assert of(A, kind="symmetric").n == N


def test_an_error_comes_out_with_a_note_and_a_run_goes_on(tmp_path):
    path, A, broken = tmp_path / "d.npy", full(), [True]

    def function(rows, columns):
        if broken and rows.start == 8:
            raise KeyError("lost")
        return A[rows, columns]

    run = partial(from_blocks, function, N, dtype="f8", tile=4, out=path)
    with pytest.raises(KeyError, match="lost") as caught:
        run()
    assert caught.value.__notes__ == ["in function(8:9, 8:9)"]
    assert not path.exists()
    broken.clear()
    np.testing.assert_array_equal(run(resume=True).expand(), A)


def test_another_function_is_another_run(tmp_path):
    path, A = tmp_path / "d.npy", full()
    of(A, out=path)
    assert of(A.copy(), out=path, resume=True).half.tobytes() == vech.pack(A).tobytes()
    for other, message in (
        (partial(of, A + 1), "what it holds: not the same"),
        (partial(of, A, tile=3), "tile was 4 and is 3"),
        (partial(of, A, diagonal=0, layout="vech"), "diagonal was None and is 0"),
        (partial(of, A, kind="skew"), "kind was 'symmetric' and is 'skew'"),
        (
            partial(from_blocks, lambda rows, columns: A[rows, columns], N, dtype="f8", tile=4),
            r"function was '.*\.cut' and is '.*<lambda>'",
        ),
    ):
        with pytest.raises(ValueError, match=f"d.npy is of another: .*{message}"):
            other(out=path, resume=True)


@pytest.mark.parametrize("kind", ["hermitian", "skew-hermitian"])
def test_rounding_of_the_diagonal_is_none_of_the_matrix(kind, tmp_path):
    A = full(kind, "c16", n=30)
    off = A + np.diag(np.linspace(1e-16, 1e-14, 30)) * (1 if kind.startswith("skew") else 1j)
    for out in (None, tmp_path / "d.npy", tmp_path / "d.zarr"):
        made = of(off, kind=kind, out=out, tile=7)
        assert made.to_packed().half.tobytes() == vech.pack(A, kind=kind).tobytes()
    with pytest.raises(ValueError, match=f"is not '{kind}'"):
        of(off + np.diag(off), kind=kind)


def test_a_diagonal_is_one_number():
    with pytest.raises(ValueError, match="diagonal must be None, 0 or 1, not array"):
        from_blocks(cut, 4, dtype="f8", diagonal=np.ones(4))


def test_executors_give_the_same_bytes(tmp_path):
    A = full("skew-hermitian", "c16", n=30)
    want = of(A, kind="skew-hermitian").half.tobytes()
    with (
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes,
    ):
        for executor in (threads, processes):
            for out in (None, tmp_path / "d.npy"):
                assert of(A, kind="skew-hermitian", executor=executor, out=out).half.tobytes() == want


@pytest.mark.parametrize(
    ("how", "error", "message"),
    (
        ({"dtype": ">f8"}, TypeError, "dtype >f8 has swapped bytes: say <f8"),
        ({"dtype": object}, TypeError, "dtype object"),
        ({"dtype": "foo"}, TypeError, "dtype='foo' is no dtype: say 'float64'"),
        ({"dtype": "f8", "kind": "triangular"}, ValueError, "no store holds a triangular matrix"),
        ({"dtype": "u1", "kind": "skew"}, TypeError, "needs numbers with a sign"),
        ({"dtype": "f8", "diagonal": 2}, ValueError, "diagonal must be None, 0 or 1, not 2"),
        ({"dtype": "f8", "diagonal": True}, ValueError, "diagonal must be None, 0 or 1, not True"),
        ({"dtype": "f8", "tile": 0}, ValueError, "tile must be at least 1 row, not 0"),
        ({"dtype": "f8", "tile": 1.5}, TypeError, "tile"),
        ({"dtype": "i8", "layout": "svec-lower"}, TypeError, "scales what it stores, and int64 is exact"),
        ({"dtype": "f8", "threads": 0}, ValueError, "threads must be at least 1, not 0"),
        ({"dtype": "f8", "progress": 3}, TypeError, "progress must be a function"),
        ({"dtype": "f8", "executor": 2}, TypeError, "executor must be None"),
    ),
)
def test_arguments_that_do_not_fit_are_refused_before_the_work(how, error, message):
    def function(rows, columns):
        raise AssertionError("it was asked")

    with pytest.raises(error, match=re.escape(message)):
        from_blocks(function, 4, **how)
    with pytest.raises(TypeError, match=r"function must be callable as function\(rows, columns\), not int"):
        from_blocks(3, 4, **how)


def test_progress_counts_tiles():
    seen = []
    of(full(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 6) for k in range(1, 7)]
