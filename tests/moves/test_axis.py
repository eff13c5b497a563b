"""axis=: the numbers of a half along any axis, rows and columns of a matrix at that axis and the next."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import DTYPES, EXPLICIT, KINDS, LAYOUTS, MEMORY, PLAIN, UNSCALED
from compare import assert_same_bits

every_target = pytest.mark.every_target
VECH = vech.Layout()


def moved(array, count, axis):
    """An array of halves (count 1) or matrices (count 2), components last, as it is with them at `axis`."""
    at = axis + array.ndim - count + 1 if axis < 0 else axis
    return np.ascontiguousarray(np.moveaxis(array, range(-count, 0), range(at, at + count)))


AXES = cases.pairwise(
    lambda layout, dtype, kind, n, batch, axis: (
        cases.fits(layout, dtype, kind, n)
        and -len(batch) - 1 <= axis <= len(batch)
        and n * math.prod(batch) < 200
    ),
    layout=LAYOUTS,
    dtype=DTYPES,
    kind=KINDS,
    n=(0, 1, 2, 3, 4, 9, 16, 17, 33),
    batch=((), (1,), (5,), (2, 3), (1, 4), (3, 0), (2, 1, 3)),
    axis=(0, 1, 2, 3, -1, -2, -3),
)


@every_target
@cases.each(("layout", "dtype", "kind", "n", "batch", "axis"), AXES)
def test_numbers_lie_along_the_axis(layout, dtype, kind, n, batch, axis):
    half = cases.half(dtype, layout, kind, n, batch=batch)
    full = reference.expand(half, layout, kind)
    packed = reference.pack(full, layout, kind)
    halves, fulls = moved(half, 1, axis), moved(full, 2, axis)
    for got, want in (
        (vech.expand(halves, layout, kind=kind, axis=axis), fulls),
        (vech.pack(fulls, layout, kind=kind, axis=axis), moved(packed, 1, axis)),
        (vech.pack(fulls, layout, kind=kind, axis=axis, use=layout.triangle), moved(packed, 1, axis)),
        (vech.convert(halves, layout, layout, kind=kind, axis=axis), halves),
    ):
        assert_same_bits(got, want)
        assert got.flags.c_contiguous and got.flags.writeable


@every_target
@cases.each(
    ("source", "target", "dtype", "kind", "n"),
    cases.pairwise(
        cases.convertible,
        source=LAYOUTS,
        target=LAYOUTS,
        dtype={
            name: DTYPES[name] for name in ("int8", "float16", "float32", ">f8", "complex64", "complex128")
        },
        kind=KINDS,
        n=(3, 17),
    ),
)
def test_convert_along_the_first_axis(source, target, dtype, kind, n):
    half = cases.half(dtype, source, kind, n, batch=(4,), values=cases.moderate)
    if target.diagonal != "stored":
        cases.set_diagonal(half, source, n, {"zero": 0, "one": 1}[target.diagonal])
    want = reference.convert(half, source, target, kind)
    got = vech.convert(moved(half, 1, 0), source, target, kind=kind, axis=0)
    assert_same_bits(got, moved(want, 1, 0))
    assert got.flags.c_contiguous


@pytest.mark.parametrize(
    "layout", ["vech", "condensed", "lapack-rfp-tu", "mandel", "tfp-fill-triangular-upper"]
)
@given(data=st.data())
def test_an_axis_is_moveaxis_around_the_plain_call(layout, data):
    order = vech.as_layout(layout)
    n = 3 if layout == "mandel" else data.draw(st.integers(1, 19))
    batch = data.draw(st.lists(st.integers(0, 3), max_size=4))
    axis = data.draw(st.integers(-len(batch) - 1, len(batch)))
    at = axis % (len(batch) + 1)
    half = cases.half(np.float32, order, "symmetric", n, batch=batch, values=cases.moderate)
    halves = np.moveaxis(half, -1, at)
    full = vech.expand(halves, layout, axis=axis)
    assert_same_bits(
        full, np.ascontiguousarray(np.moveaxis(vech.expand(half, layout), (-2, -1), (at, at + 1)))
    )
    plain = vech.pack(np.moveaxis(full, (at, at + 1), (-2, -1)), layout)
    assert_same_bits(vech.pack(full, layout, axis=axis), np.ascontiguousarray(np.moveaxis(plain, -1, at)))


@pytest.mark.parametrize("shape", [(6,), (6, 4), (6, 2, 3)])
def test_the_last_axis_is_what_no_axis_means(shape):
    half = cases.moderate(np.float64, shape)[..., None] * np.arange(1, 7)
    full = vech.expand(half)
    for axis in (-1, half.ndim - 1):
        assert_same_bits(vech.expand(half, axis=axis), full)
        assert_same_bits(vech.pack(full, axis=axis), half)
        assert_same_bits(
            vech.convert(half, "vech", "numpy-tril", axis=axis), vech.convert(half, "vech", "numpy-tril")
        )


# ---- memory ------------------------------------------------------------------------------------------------

STRIDED = cases.pairwise(
    lambda memory, dtype, layout, kind, n, axis: cases.fits(layout, dtype, kind, n),
    memory=tuple(MEMORY),
    dtype=DTYPES,
    layout=UNSCALED | {"voigt-stress": EXPLICIT["voigt-stress"]},
    kind=KINDS,
    n=(1, 3, 16, 17),
    axis=(0, 1, -2, -3),
)


@every_target
@cases.each(("memory", "dtype", "layout", "kind", "n", "axis"), STRIDED)
def test_inputs_and_out_may_lie_in_any_strides(memory, dtype, layout, kind, n, axis):
    half = cases.half(dtype, layout, kind, n, batch=(2, 3))
    full = reference.expand(half, layout, kind)
    packed = reference.pack(full, layout, kind)
    by_rows = vech.Layout(layout.triangle, "rows", diagonal=layout.diagonal)
    rows = reference.convert(packed, layout, by_rows, kind)
    halves, fulls, packeds = moved(half, 1, axis), moved(full, 2, axis), moved(packed, 1, axis)
    for given_, want, call in (
        (halves, fulls, lambda x, out: vech.expand(x, layout, kind=kind, axis=axis, out=out)),
        (fulls, packeds, lambda x, out: vech.pack(x, layout, kind=kind, axis=axis, out=out)),
        (
            packeds,
            moved(rows, 1, axis),
            lambda x, out: vech.convert(x, layout, by_rows, kind=kind, axis=axis, out=out),
        ),
    ):
        assert_same_bits(call(cases.laid_out(given_, memory), None), want)
        block, cut = cases.block_for(want.shape, want.dtype, memory)
        expected = block.copy(order="K")
        cases.write_bits(cut(expected), want)
        out = cut(block)
        assert call(given_, out) is out
        assert block.tobytes() == expected.tobytes()


@every_target
@cases.each("dtype", ["u1", "f2", "f4", "f8", "c16"])
@cases.each("memory", list(MEMORY))
@cases.each("n", [2, 3, 16, 17])
def test_halves_of_any_strides_are_read_where_they_are(dtype, memory, n):
    """Without an axis too: those of small matrices go to the kernels as they lie."""
    for layout in (VECH, PLAIN["lower-rows-zero"], EXPLICIT["lapack-rfp-nl"], EXPLICIT["tfp-upper"]):
        for batch in ((), (5,), (2, 3)):
            half = cases.half(dtype, layout, "triangular", n, batch=batch)
            full = reference.expand(half, layout, "triangular")
            there = cases.laid_out(half, memory)
            assert_same_bits(vech.expand(there, layout, kind="triangular"), full)
            other = vech.Layout("lower" if layout.triangle == "lower" else "upper", diagonal=layout.diagonal)
            want = reference.convert(half, layout, other, "triangular")
            assert_same_bits(vech.convert(there, layout, other, kind="triangular"), want)
            block, cut = cases.block_for(half.shape, half.dtype, memory)
            out = cut(block)
            vech.pack(full, layout, kind="triangular", out=out)
            assert out.tobytes() == half.tobytes()
            vech.convert(want, other, layout, kind="triangular", out=out)
            assert out.tobytes() == half.tobytes()


@every_target
@pytest.mark.parametrize(
    ("n", "count"), [(2, 150_000), (3, 100_001), (6, 20_001), (16, 3001), (17, 1501), (40, 301)]
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "u1"])
def test_every_number_of_threads_gives_the_right_bits(n, count, dtype):
    length = n * (n + 1) // 2
    count = count // max(np.dtype(dtype).itemsize // 4, 1) | count % 2  # two megabytes, each a thread's
    half = cases.raw(np.dtype(dtype), (length, count))
    i, j = np.triu_indices(n)
    table = np.empty((n, n), int)
    table[i, j] = table[j, i] = np.arange(length)  # vech: lower by columns
    full = half[table]
    order = np.lexsort((j, i)), np.lexsort((i, j))
    assert (order[0] == np.arange(length)).all()
    by_rows = half[order[1]]
    for threads in (1, 3, 7):
        assert_same_bits(vech.expand(half, kind="symmetric", axis=0, threads=threads), full)
        assert_same_bits(vech.pack(full, kind="symmetric", axis=0, threads=threads), half)
        converted = vech.convert(half, "vech", "numpy-tril", kind="symmetric", axis=0, threads=threads)
        assert_same_bits(converted, by_rows)


@every_target
@pytest.mark.parametrize("name", ["lapack-rfp-nu", "tfp-fill-triangular-lower", "voigt-stress"])
@pytest.mark.parametrize("n", [3, 16, 20])
def test_long_batches_of_explicit_orders(name, n):
    order = vech.as_layout(name)
    if not cases.has_side(order, n):
        pytest.skip("a tensor has three rows")
    count = 100_000 // n**2
    half = cases.raw(np.complex64, (order.length(n), count))
    full = np.empty((n, n, count), np.complex64)
    for slot, ((i, j), crossed) in enumerate(
        zip(reference.cells(order, n), reference.crossed(order, n), strict=True)
    ):
        own = half[slot].copy()
        mirrored = own.copy()
        own.view("u4")[1::2] ^= 0x80000000 * crossed
        mirrored.view("u4")[1::2] ^= 0x80000000 * (not crossed)
        cases.words(full)[j, i] = cases.words(mirrored)
        cases.words(full)[i, j] = cases.words(own)
    for threads in (1, 2, 3, 7):
        assert_same_bits(vech.expand(half, order, kind="hermitian", axis=0, threads=threads), full)
        got = vech.pack(full, order, kind="hermitian", use=order.triangle, axis=0, threads=threads)
        assert_same_bits(got, half)


def test_convert_along_an_axis_may_work_in_place():
    half = cases.moderate(np.float64, (10, 7))
    want = moved(reference.convert(np.ascontiguousarray(half.T), VECH, vech.as_layout("svec-lower")), 1, 0)
    assert vech.convert(half, "vech", "svec-lower", axis=0, out=half) is half
    assert_same_bits(half, want)
    with pytest.raises(ValueError, match="out shares memory with the input"):
        vech.convert(half, "vech", "numpy-tril", axis=0, out=half)


def test_out_is_no_part_of_the_input():
    buffer = np.zeros(200)
    with pytest.raises(ValueError, match="out shares memory with the input"):
        vech.expand(buffer[:12].reshape(6, 2), axis=0, out=buffer[6:24].reshape(3, 3, 2))
    with pytest.raises(ValueError, match="out shares memory with the input"):
        vech.pack(buffer[:18].reshape(3, 3, 2), axis=0, out=buffer[12:24].reshape(6, 2))


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [2, 3, -3, 2**70])
def test_an_axis_that_there_is_not(axis):
    half, full = np.zeros((6, 2)), np.zeros((3, 3, 2))
    for call in (
        lambda: vech.expand(half, axis=axis),
        lambda: vech.convert(half, "vech", "numpy-tril", axis=axis),
    ):
        with pytest.raises(
            ValueError, match=rf"^axis {axis} is out of range: half has shape \(6, 2\), so -2 to 1$"
        ):
            call()
    with pytest.raises(
        ValueError, match=rf"^axis {axis} is out of range: matrix has shape \(3, 3, 2\), so -2 to 1$"
    ):
        vech.pack(full, axis=axis)


@cases.each("axis", [None, 0.0, "0", True, (0, 1)])
def test_an_axis_is_an_integer(axis):
    for call in (
        lambda: vech.expand(np.zeros((6, 6)), axis=axis),
        lambda: vech.convert(np.zeros((6, 6)), "vech", "numpy-tril", axis=axis),
        lambda: vech.pack(np.zeros((3, 3, 3, 3)), axis=axis),
    ):
        with pytest.raises(TypeError, match=r"axis must be an integer, not "):
            call()
    assert vech.expand(np.zeros((6, 2)), axis=np.int8(0)).shape == (3, 3, 2)


@cases.each(
    ("call", "words"),
    [
        (lambda: vech.expand(np.zeros((7, 2)), axis=0), r"length 7 fits no n: .* 6 for n=3 or 10 for n=4"),
        (lambda: vech.expand(np.zeros((6, 2)), axis=1), r"length 2 fits no n"),
        (lambda: vech.expand(np.zeros((6, 2)), "mandel", axis=-1), r"length 2 fits no n: mandel holds 6"),
        (lambda: vech.pack(np.zeros((3, 4, 2)), axis=0), r"matrix has shape \(3, 4, 2\): .*square"),
        (lambda: vech.pack(np.zeros((5, 3, 4, 2)), axis=1), r"matrix has shape \(5, 3, 4, 2\): .*square"),
        (lambda: vech.pack(np.zeros((4, 4, 2)), "mandel", axis=0),
         r"mandel is an order of 3 x 3 tensors: n = 4"),
        (lambda: vech.pack(np.zeros((0, 0, 2)), "condensed", axis=0),
         r"a 0 x 0 matrix has no half in layout"),
        (lambda: vech.expand(np.zeros((6, 2)), "vec", axis=0), r"unknown layout 'vec'"),
        (lambda: vech.expand(np.zeros((6, 2)), kind="odd", axis=0), r"unknown kind 'odd'"),
        (lambda: vech.expand(np.zeros((6, 2)), axis=0, threads=0), r"threads must be at least 1, not 0"),
        (lambda: vech.expand(np.zeros((6, 2), complex), axis=0), r"say kind='symmetric' or kind='hermitian'"),
        (
            lambda: vech.expand(np.zeros((6, 2)), axis=0, out=np.zeros((2, 3, 3))),
            r"out has shape \(2, 3, 3\), but the result has \(3, 3, 2\)",
        ),
        (
            lambda: vech.pack(np.zeros((3, 3, 2)), axis=0, out=np.zeros((2, 6))),
            r"out has shape \(2, 6\), but the result has \(6, 2\)",
        ),
        (
            lambda: vech.convert(np.zeros((6, 2)), "vech", "numpy-tril", axis=0, out=np.zeros((2, 6))),
            r"out has shape \(2, 6\), but the result has \(6, 2\)",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_out_has_the_dtype_of_the_result():
    with pytest.raises(TypeError, match="out has dtype float32"):
        vech.expand(np.zeros((6, 2)), axis=0, out=np.zeros((3, 3, 2), "f4"))
    with pytest.raises(ValueError, match=r"out.*(write|read-only)"):
        vech.expand(np.zeros((6, 2)), axis=0, out=np.broadcast_to(np.zeros(1), (3, 3, 2)))


def test_what_has_no_axes_is_refused():
    with pytest.raises(ValueError, match=r"half"):
        vech.expand(np.array(3.0), axis=0)
    with pytest.raises(ValueError, match=r"half"):
        vech.convert(np.array(3.0), "vech", "numpy-tril", axis=0)
    for shape in ((), (3,)):
        with pytest.raises(ValueError, match=r"matrix has shape .*: it needs 2 axes at least"):
            vech.pack(np.zeros(shape), axis=0)


def test_a_pair_that_disagrees_is_named_with_its_matrix():
    full = np.zeros((4, 4, 2, 3))
    full[3, 1, 1, 2] = 5
    with pytest.raises(
        ValueError, match=r"a\[3, 1\] is 5.0, but a\[1, 3\] is 0.0 in matrix 1, 2 of the batch"
    ):
        vech.pack(full, axis=0)
    assert vech.pack(full, axis=0, use="upper").sum() == 0
    assert vech.pack(full, axis=0, use="mean").sum() == 2.5
    assert vech.pack(full, axis=0, tolerance=5).shape == (10, 2, 3)


def test_lists_have_axes_too():
    assert vech.expand([[1, 2], [3, 4], [5, 6]], axis=0).tolist() == [[[1, 2], [3, 4]], [[3, 4], [5, 6]]]
    assert vech.pack([[[1, 2], [3, 4]], [[3, 4], [5, 6]]], axis=0).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_an_axis_of_halves_beyond_memory_is_refused_before_it_is_allocated():
    half = np.broadcast_to(np.uint8(0), (6, 2**60))
    with pytest.raises(MemoryError, match="bytes"):
        vech.expand(half, axis=0)
