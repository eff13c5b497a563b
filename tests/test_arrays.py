"""The door: which arrays, kinds, outputs and threads are let in, and what is said to the others."""

import contextlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import cases
import reference
import vech
from cases import DTYPES
from compare import assert_same_bits
from vech import arrays

SHORTER = """
import os
import numpy as np
import scipy.sparse
import vech

np.save("X.npy", np.abs(np.random.default_rng(0).normal(size=(4000, 20))))
np.save("I.npy", np.arange(4000) % 20)
np.save("W.npy", np.zeros((4000, 20)))
np.save("B.npy", np.zeros(8000, bool))
M, I = np.load("X.npy", mmap_mode="r"), np.load("I.npy", mmap_mode="r")[2000:]
W = np.load("W.npy", mmap_mode="r+").ravel()[60000:]
F, B, V = W[:400].reshape(20, 20), np.load("B.npy", mmap_mode="r")[6000:], vech.as_layout("mandel")
P = vech.Packed(vech.pack(np.eye(20)), labels=range(100, 120))
L, E = vech.as_layout("vech"), vech.as_layout("lapack-rfp-tl")
C = scipy.sparse.csr_array((M[3000], np.arange(20), np.arange(21)))
from vech.cluster import silhouette
D = vech.Packed(np.ones(190), layout="condensed")
S = vech.SparseHalf(np.arange(21), np.arange(20), M[3000], 20, triangle="lower")
made = vech.quantize(P, "int8").to_parts()
np.save("Q.npy", np.resize(made["codes"], 9000))
made["codes"] = np.load("Q.npy", mmap_mode="r")[: made["codes"].size]
Q = vech.Quantized.from_parts(**made)
for name in ("X.npy", "I.npy", "Q.npy", "W.npy", "B.npy"):
    os.truncate(name, 4096)
for use in (
    lambda: vech.covariance.sample(M), lambda: vech.covariance.sample(iter([M[2000:]])),
    lambda: vech.covariance.spearman(M), lambda: vech.covariance.Stream().update(M),
    lambda: vech.covariance.sampled_gram(M, 9), lambda: vech.pairwise.distances(M),
    lambda: vech.pairwise.distances(C), lambda: vech.from_sparse(C), lambda: vech.pack(M[2000:2020]),
    lambda: vech.pack([M[2000], M[2001]] * 10), lambda: vech.expand(M.view(np.ndarray)[2000:, :10]),
    lambda: vech.expand(M.view(np.ndarray).ravel()[40000:40006]),
    lambda: vech.expand(M.view(np.ndarray).ravel()[40000:40210], out=np.empty((20, 20))),
    lambda: vech.pack(M.view(np.ndarray)[2000:2020]),
    lambda: P @ M.T, lambda: P.scale(M[2000]), lambda: P.set_diagonal(M[2000]), lambda: P[I, I],
    lambda: silhouette(D, I[:20]), lambda: vech.plot.heatmap(D, groups=I[:20]),
    lambda: P.permute(I), S.expand, lambda: S @ np.ones(20), lambda: P + S,
    Q.expand, lambda: Q @ np.ones(20), lambda: Q.block([1], [0, 3]), lambda: Q.permute(I[:20]),
    # labels, places, and numbers that are no matrix
    lambda: vech.Packed(np.ones(210), labels=I[:20]), lambda: P.with_labels(I[:20]),
    lambda: vech.tiled.create("T.zarr", 20, labels=I[:20]), lambda: P.loc[I[:3]], lambda: P.loc[B[:20]],
    lambda: P.loc[[I[:1].reshape(())]], lambda: P.submatrix([I[:1]]), lambda: S.block([I[:1]], [0]),
    lambda: L.position(I, 0, 20), lambda: L.position(0, [I[:1]], 20), lambda: L.pair(I, 20),
    lambda: L.slot(0, I, 20), lambda: E.position(I, 0, 20), lambda: E.pair(I, 20), lambda: E.slot(I, I, 20),
    lambda: E.crossed(I, I, 20), lambda: V.slot(0, I, 3), lambda: vech.images.poisson(I[:2]),
    lambda: P * I[:1].reshape(()), lambda: P.add_outer(np.ones(20), I[:1].reshape(())),
    lambda: vech.plot.heatmap(D, order=I[:20]), lambda: vech.plot.heatmap(D, limits=M[2000, :2]),
    lambda: vech.quantized.requantize(np.arange(4), range=M[2000, :2]),
    lambda: vech.linalg.eigsh(P, 1, sigma=I[:1].reshape(())),
    lambda: vech.pairwise.from_blocks(np.zeros, 4, dtype="f8", diagonal=M[2000, :4]),
    # memory for results
    lambda: vech.expand(np.ones(3), out=W[:4].reshape(2, 2)), lambda: vech.expand(np.ones(210), out=F),
    lambda: vech.expand(np.ones(210), out=F.view(np.ndarray)), lambda: P.expand(out=F),
    lambda: vech.pack(np.eye(20), out=W[:210]), lambda: vech.pack(np.eye(20), out=np.asarray(W)[:210]),
    lambda: vech.convert(np.ones(210), "vech", "numpy-tril", out=W[:210]),
    lambda: P.matmul(np.ones(20), out=W[:20]), lambda: S.matmul(np.ones(20), out=W[:20]),
    lambda: Q.matmul(np.ones(20), out=W[:20]), lambda: P.block([0], [1], out=W[:1].reshape(1, 1)),
    lambda: vech.covariance.sample(np.eye(20), out=W[:210]),
    lambda: vech.pairwise.distances(np.eye(20), out=W[:190]),
):
    try:
        use()
    except OSError as error:
        assert "has 4,096 bytes now where" in str(error) and "read it again" in str(error), error
    else:
        raise AssertionError(use)
"""

CALLS = {
    "expand": lambda x, **more: vech.expand(x, **more),
    "pack": lambda x, **more: vech.pack(x, **more),
    "convert": lambda x, **more: vech.convert(x, "vech", "numpy-triu", **more),
}
every_call = cases.each("call", CALLS.values(), ids=CALLS)


def argument(name, dtype=np.float64):
    """A valid first argument."""
    return np.zeros((3, 3) if name == "pack" else 6, dtype)


every_valid = cases.each(("name", "call"), CALLS.items(), ids=CALLS)


# ---- what is taken -----------------------------------------------------------------------------------------


def test_lists_and_tuples_are_taken():
    want = [[1.0, 2.0], [2.0, 3.0]]
    assert vech.expand([1.0, 2.0, 3.0]).tolist() == want
    assert vech.expand((1, 2, 3)).dtype == np.array([1]).dtype
    assert vech.expand([[1, 2, 3], [4, 5, 6]]).shape == (2, 2, 2)
    assert vech.pack(want).tolist() == [1, 2, 3]
    assert vech.pack([(1, 2), (2, 3)]).tolist() == [1, 2, 3]
    assert vech.convert([1, 2, 3, 4, 5, 6], "vech", "numpy-tril").tolist() == [1, 2, 4, 3, 5, 6]


def test_a_memory_map_of_any_size_whose_file_is_shorter_now_is_not_read(tmp_path):
    done = subprocess.run([sys.executable, "-c", SHORTER], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHORTER_FRAMES = """
import os
import numpy as np
import pandas as pd
import vech

np.save("X.npy", np.zeros((2, 4000)))
M = np.load("X.npy", mmap_mode="r")
one = pd.DataFrame(M.T, copy=False)
two = pd.DataFrame({"a": M[1], "b": pd.Series(np.arange(4000))}, copy=False)
three = pd.DataFrame({"a": M[1], "b": ["x", "y"] * 2000}, copy=False)
labels = pd.Series(M[1], copy=False)
os.truncate("X.npy", 4096)
for use in (
    lambda: vech.covariance.sample(one), lambda: vech.covariance.sample(two),
    lambda: vech.pairwise.distances(three, "gower"), lambda: vech.Packed(np.ones(8002000), labels=labels),
):
    try:
        use()
    except OSError as error:
        assert "read it again" in str(error), error
    else:
        raise AssertionError(use)
"""


def test_nor_as_a_frame_that_holds_it(tmp_path):
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, "-c", SHORTER_FRAMES], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_nor_by_an_estimator(tmp_path):
    estimators = pytest.importorskip("vech.adapters.sklearn", exc_type=ImportError)
    mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=(4000, 2))
    os.truncate(tmp_path / "X", 4096)
    with pytest.raises(OSError, match="read it again"):
        estimators.SampleCovariance().fit(mapped)


def test_memory_maps_are_taken_and_plain_arrays_given(tmp_path):
    half = cases.raw(np.float64, 21)
    path = tmp_path / "half"
    half.tofile(path)
    mapped = np.memmap(path, np.float64, "r")
    assert_same_bits(vech.expand(mapped), reference.expand(half, vech.Layout()))
    assert_same_bits(vech.convert(mapped, "vech", "vech"), half)
    out = np.memmap(tmp_path / "full", np.float64, "w+", shape=(6, 6))
    assert vech.expand(half, out=out) is out
    assert out.tobytes() == reference.expand(half, vech.Layout()).tobytes()
    assert_same_bits(vech.pack(out), half)


@cases.each("dtype", DTYPES.values(), ids=DTYPES)
def test_the_dtype_is_kept_with_its_byte_order(dtype):
    half = np.zeros(6, dtype)
    assert vech.expand(half, kind="symmetric").dtype == dtype
    assert vech.pack(np.zeros((3, 3), dtype), kind="symmetric").dtype == dtype
    assert vech.convert(half, "vech", "numpy-tril", kind="symmetric").dtype == dtype


# ---- what is refused, by name, with the way out ------------------------------------------------------------

REFUSED = {
    "object": (lambda shape: np.zeros(shape, object), "object.*astype"),
    "structured": (lambda shape: np.zeros(shape, [("re", "f8"), ("im", "f8")]), "structured.*field"),
    "text": (lambda shape: np.zeros(shape, "U3"), "(text|string).*astype"),
    "bytes": (lambda shape: np.zeros(shape, "S3"), "(text|string|bytes).*astype"),
    "masked": (lambda shape: np.ma.zeros(shape), r"(?i)mask.*(filled|fill)"),
}
if np.dtype(np.longdouble).itemsize > 8:
    REFUSED["longdouble"] = (lambda shape: np.zeros(shape, np.longdouble), "longdouble|float128.*astype")
    REFUSED["clongdouble"] = (lambda shape: np.zeros(shape, np.clongdouble), "clongdouble|complex256.*astype")


@every_valid
@cases.each(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_an_array_of_numbers_is_refused_by_name(name, call, make, words):
    with pytest.raises(TypeError, match=rf"(?s){words}"):
        call(make(argument(name).shape))


@every_valid
def test_numpy_strings_of_any_length_are_refused(name, call):
    with pytest.raises(TypeError, match=r"(?i)text|string"):
        call(np.zeros(argument(name).shape, np.dtypes.StringDType()))


@every_call
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_numpy_matrices_are_refused(call):
    with pytest.raises(TypeError, match=r"(?s)matrix.*(asarray|array)"):
        call(np.matrix(np.zeros((3, 3))))


@every_call
@cases.each("make", [scipy.sparse.csr_array, scipy.sparse.coo_array, scipy.sparse.csc_matrix])
def test_sparse_matrices_are_sent_to_the_sparse_functions(call, make):
    with pytest.raises(TypeError, match=r"(?s)sparse.*(from_sparse|toarray)"):
        call(make(np.eye(3)))


@every_call
def test_stores_are_sent_to_their_methods(call):
    store = vech.Packed(np.zeros(6))
    with pytest.raises(TypeError, match=r"(?s)Packed.*(\.expand|\.half|\.to_|expand\()"):
        call(store)


@every_call
@cases.each("wrong", [None, "half", b"half", {1: 2}, iter([1, 2, 3])], ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_array_at_all_is_a_type_error(call, wrong):
    with pytest.raises(TypeError):
        call(wrong)


@every_call
def test_ragged_lists_are_refused(call):
    with pytest.raises((TypeError, ValueError)):
        call([[1, 2], [3]])


# ---- kinds -------------------------------------------------------------------------------------------------


@every_valid
def test_an_unknown_kind_names_the_choices(name, call):
    with pytest.raises(ValueError, match=r"(?s)kind.*symetric.*symmetric"):
        call(argument(name), kind="symetric")


@every_valid
def test_complex_data_must_say_their_kind(name, call):
    with pytest.raises((ValueError, TypeError), match="say kind='symmetric' or kind='hermitian'"):
        call(argument(name, complex))


@every_valid
def test_a_kind_is_a_name(name, call):
    with pytest.raises((TypeError, ValueError), match="kind"):
        call(argument(name), kind=3)


def test_no_store_is_triangular():
    with pytest.raises(ValueError, match=r"(?s)triangular"):
        vech.Packed(np.zeros(6), kind="triangular")


# ---- out ---------------------------------------------------------------------------------------------------

OUT_SHAPE = {"expand": (3, 3), "pack": (6,), "convert": (6,)}


@every_valid
def test_out_must_have_the_dtype_of_the_input(name, call):
    for dtype in (np.float32, ">f8", np.int64):
        with pytest.raises((TypeError, ValueError), match=r"(?s)out.*float64|float64.*out"):
            call(argument(name), out=np.zeros(OUT_SHAPE[name], dtype))


@every_valid
def test_out_must_have_the_shape_of_the_result(name, call):
    right = OUT_SHAPE[name]
    for shape in ((1, *right), (*right[:-1], right[-1] + 1), (0,)):
        with pytest.raises(ValueError, match=r"(?s)out.*shape"):
            call(argument(name), out=np.zeros(shape))


@every_valid
def test_out_must_be_writeable(name, call):
    out = np.zeros(OUT_SHAPE[name])
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"(?s)out.*(writeable|writable|read-only)"):
        call(argument(name), out=out)


@every_valid
@cases.each("wrong", [[0.0] * 6, 3.0, "out"], ids=repr)
def test_out_must_be_an_array(name, call, wrong):
    with pytest.raises(TypeError, match="out"):
        call(argument(name), out=wrong)


@every_valid
def test_out_must_not_repeat_elements(name, call):
    shape = OUT_SHAPE[name]
    for strides in ((0,) * len(shape), (8,) * len(shape) if len(shape) == 2 else (4,)):
        out = np.lib.stride_tricks.as_strided(np.zeros(64), shape, strides)
        with pytest.raises(ValueError, match=r"(?s)out.*(repeat|more than once|overlap|twice|same memory)"):
            call(argument(name), out=out)


def test_out_may_be_interleaved_without_repeating():
    """Strides of 16 and 56 bytes: no cell meets another, although the numbers are not side by side."""
    block = np.zeros((3, 7))
    out = np.lib.stride_tricks.as_strided(block, (3, 3), (56, 16))
    assert vech.expand(np.arange(6.0), out=out) is out
    assert out.tolist() == [[0, 1, 2], [1, 3, 4], [2, 4, 5]]


def test_out_must_not_share_memory_with_the_input():
    block = np.zeros(100)
    half = block[:6]
    with pytest.raises(ValueError, match=r"(?s)out.*(overlap|share)"):
        vech.expand(half, out=block[5:14].reshape(3, 3))
    vech.expand(half, out=block[6:15].reshape(3, 3))
    full = block[20:29].reshape(3, 3)
    with pytest.raises(ValueError, match=r"(?s)out.*(overlap|share)"):
        vech.pack(full, out=block[28:34])
    with pytest.raises(ValueError, match=r"(?s)out.*(overlap|share)"):
        vech.convert(half, "vech", "vech", out=block[1:7])


def test_convert_across_orders_cannot_work_in_place():
    half = np.arange(10.0)
    with pytest.raises(ValueError, match=r"(?s)out.*(order|overlap|share)"):
        vech.convert(half, "vech", "numpy-tril", out=half)
    assert half.tolist() == list(range(10))


def test_a_refused_out_is_not_written():
    out = np.full((3, 3), 7.0, np.float32)
    with contextlib.suppress(TypeError, ValueError):
        vech.expand(np.zeros(6), out=out)
    assert (out == 7).all()


# ---- threads -----------------------------------------------------------------------------------------------


@every_valid
@cases.each("threads", [0, -1, -(2**40)])
def test_threads_are_positive(name, call, threads):
    with pytest.raises(ValueError, match=rf"(?s)threads.*{threads}"):
        call(argument(name), threads=threads)


@every_valid
@cases.each("threads", [1.5, "2", [2]])
def test_threads_are_an_integer(name, call, threads):
    with pytest.raises(TypeError, match="threads"):
        call(argument(name), threads=threads)


@every_valid
def test_threads_may_be_a_numpy_integer(name, call):
    call(argument(name), threads=np.int64(2))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
@pytest.mark.parametrize(("variable", "most"), [("1", 1), (None, None), ("not a number", None), ("2,1", 2)])
def test_any_omp_num_threads_is_survived(variable, most):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    if variable is not None:
        environment["OMP_NUM_THREADS"] = variable
    program = "import numpy, vech; vech.expand(numpy.zeros(1000 * 1001 // 2)); print('done')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout == "done\n", done.stderr


# ---- names of other libraries ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("unvech", "expand"),
        ("squareform", "expand"),
        ("svec", "svec"),
        ("unpack", "expand"),
        ("smat", "expand"),
    ],
)
def test_the_names_of_other_libraries_are_answered_with_ours(name, right):
    with pytest.raises(AttributeError, match=rf"(?s){name}.*{right}"):
        getattr(vech, name)


def test_an_unknown_attribute_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="zzz"):
        _ = vech.zzz
    assert not hasattr(vech, "zzz")


# ---- a matrix inside of a result ---------------------------------------------------------------------------

R = vech.Packed(np.array([1.0, 0.2, 0.1, 1.0, 0.3, 1.0]))


@cases.each(
    ("result", "way"),
    [
        (vech.linalg.nearest_correlation(R), "pass its .matrix"),
        (vech.linalg.to_correlation(R), "pass its .R"),
        ((R, 0.5), "pass its [0]"),
    ],
)
@cases.each(
    "call",
    [
        vech.linalg.cholesky,
        vech.linalg.partial_correlation,
        vech.Packed.from_full,
        vech.expand,
        lambda result: R @ result,
        lambda result: R + result,
        lambda result: vech.write("half.npy", result),
        lambda result: vech.plot.heatmap(result),
    ],
)
def test_a_result_of_several_parts_says_which_is_the_matrix(call, result, way):
    with pytest.raises(TypeError, match=re.escape(way) + "$"):
        call(result)


@pytest.mark.parametrize("given", [None, 1, 3])
def test_one_thread_moves_what_is_moved_before_another_has_started(monkeypatch, given):
    monkeypatch.setattr(arrays, "default_threads", lambda: 5)
    assert arrays.threads_to_move(given, arrays.MOVED_BYTES - 1) == (given or 1)
    assert arrays.threads_to_move(given, arrays.MOVED_BYTES) == (given or 5)
