"""pack, expand and convert: every bit arrives, in its place, and a wrong input gets one clear error."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import DTYPES, EXPLICIT, KINDS, LAYOUTS, MEMORY, PLAIN, SCALED, SIZES, SMALL, UNSCALED
from compare import assert_same_bits
from vech import _core
from vech.moves import expanding
from vech.moves.expanding import _expand

every_target = pytest.mark.every_target
VECH = vech.Layout()
UNSCALED_TENSORS = {
    name: order for name, order in EXPLICIT.items() if name in ("voigt-stress", "tensor-lower")
}


def either(i, j):
    """A pair as a message names it, in either order."""
    return rf"[\[(]({i}, {j}|{j}, {i})[\])]"


# ---- every layout, dtype, kind and size --------------------------------------------------------------------


@every_target
@cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(cases.fits, layout=LAYOUTS, dtype=DTYPES, kind=KINDS, n=SIZES),
)
def test_expand_and_pack_move_each_number_to_its_place(layout, dtype, kind, n):
    half = cases.half(dtype, layout, kind, n)
    full = reference.expand(half, layout, kind)
    assert_same_bits(vech.expand(half, layout, kind=kind), full)
    assert_same_bits(vech.pack(full, layout, kind=kind), reference.pack(full, layout, kind))


@every_target
@cases.each(
    ("source", "target", "dtype", "kind", "n"),
    cases.pairwise(cases.convertible, source=LAYOUTS, target=LAYOUTS, dtype=DTYPES, kind=KINDS, n=SIZES),
)
def test_convert_moves_each_number_to_its_place(source, target, dtype, kind, n):
    scaled = cases.is_scaled(source) or cases.is_scaled(target)
    half = cases.half(dtype, source, kind, n, values=cases.moderate if scaled else cases.raw)
    if target.diagonal != "stored":
        cases.set_diagonal(half, source, n, {"zero": 0, "one": 1}[target.diagonal])
    assert_same_bits(
        vech.convert(half, source, target, kind=kind), reference.convert(half, source, target, kind)
    )


@every_target
@cases.each(
    ("layout", "dtype", "kind", "n", "use"),
    cases.pairwise(
        lambda layout, dtype, kind, n, use: kind != "triangular" and cases.fits(layout, dtype, kind, n),
        layout=LAYOUTS,
        dtype=DTYPES,
        kind=KINDS,
        n=SIZES,
        use=("lower", "upper"),
    ),
)
def test_pack_looks_at_the_believed_triangle_only(layout, dtype, kind, n, use):
    half = cases.half(dtype, layout, kind, n)
    full = reference.expand(half, layout, kind)
    garbage = cases.raw(dtype, (n, n), salt="garbage")
    disbelieved = (np.triu if use == "lower" else np.tril)(np.ones((n, n), bool), 1 if use == "lower" else -1)
    cases.words(full)[disbelieved] = cases.words(garbage)[disbelieved]
    assert_same_bits(vech.pack(full, layout, kind=kind, use=use), reference.pack(full, layout, kind, use))


@cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(
        lambda layout, dtype, kind, n: (
            kind != "triangular" and cases.is_inexact(dtype) and cases.fits(layout, dtype, kind, n)
        ),
        layout={name: layout for name, layout in PLAIN.items() if layout.diagonal == "stored"} | EXPLICIT,
        dtype=DTYPES,
        kind=KINDS,
        n=(0, 1, 2, 3, 4, 17, 33, 65),
    ),
)
def test_mean_is_half_of_the_matrix_and_its_mirror(layout, dtype, kind, n):
    full = cases.moderate(dtype, (n, n))
    assert_same_bits(
        vech.pack(full, layout, kind=kind, use="mean"), reference.pack(full, layout, kind, "mean")
    )


@cases.each(
    "dtype", [DTYPES[name] for name in ("float16", "float32", "float64", ">f8", "complex128")], ids=str
)
def test_mean_of_the_largest_numbers_does_not_overflow(dtype):
    largest = np.finfo(dtype).max
    full = np.full((4, 4), largest, dtype)
    kind = "hermitian"
    assert_same_bits(vech.pack(full, kind=kind, use="mean"), np.full(10, largest, dtype))


def test_mean_of_subnormals_is_not_lost():
    tiny = 5e-324
    assert vech.pack(np.full((3, 3), 3 * tiny), use="mean").tolist() == [3 * tiny] * 6


@pytest.mark.parametrize(
    ("name", "mantissa"),
    [("float16", 10), (">f2", 10), ("bfloat16", 7), ("float8_e4m3fn", 3), ("float8_e5m2", 2)],
)
def test_small_floats_are_rounded_once(name, mantissa):
    """A hair beyond half way between two numbers: a stop at float32 would cut the hair and round to even."""
    if name not in DTYPES:
        pytest.skip("ml_dtypes is not installed")
    dtype = DTYPES[name]
    half = np.tile([1.0, 1.5, -1.0, 0.5, 1.25, -1.75], 20).astype(dtype)
    plain = vech.Layout(diagonal="zero")
    for hair in (2.0**-30, -(2.0**-30), 0.0):
        scaled = vech.Layout(diagonal="zero", offdiagonal_scale=1 + 2.0 ** -(mantissa + 1) + hair)
        inverse = vech.Layout(diagonal="zero", offdiagonal_scale=1 / scaled.offdiagonal_scale)
        assert_same_bits(vech.convert(half, plain, scaled), reference.convert(half, plain, scaled))
        assert_same_bits(vech.expand(half, inverse), reference.expand(half, inverse))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_float32_is_computed_in_float64(dtype):
    layout, other = (
        vech.Layout(offdiagonal_scale=1 / 3, diagonal_scale=0.1),
        vech.Layout("upper", offdiagonal_scale=7.7),
    )
    half = cases.moderate(dtype, 2016)
    assert_same_bits(
        vech.convert(half, layout, other, kind="hermitian"),
        reference.convert(half, layout, other, "hermitian"),
    )


MANTISSAS = np.arange(2**23, 2**24, dtype=np.float64)


@every_target
@pytest.mark.parametrize("scale", [2**0.5, 4.0, 1.04])  # by 1.04 division and multiplication differ
def test_every_float32_is_divided_by_a_scale_as_in_float64(scale):
    scaled, plain = vech.Layout(diagonal="zero", offdiagonal_scale=scale), vech.Layout(diagonal="zero")
    for lowest in (1.0, 2.0**-149):  # quotients that are normal, and subnormal
        half = np.resize((MANTISSAS * lowest).astype(np.float32), plain.length(4097))
        assert_same_bits(vech.convert(half, scaled, plain), (half / np.float64(scale)).astype(np.float32))


@pytest.mark.parametrize(("scale", "same"), [(2**0.5, True), (1.04, False)])
def test_a_product_by_the_inverse_rounds_as_the_quotient_by_sqrt_2(scale, same):
    """No number of 25 bits lies between the two, so no place where floats are rounded, subnormal or not."""
    quotients, products = MANTISSAS / scale, MANTISSAS * (1 / scale)
    apart = np.abs(quotients.view(np.int64) - products.view(np.int64))
    beyond = quotients.view(np.int64) & (2**28 - 1)
    assert np.all(apart < np.minimum(beyond, 2**28 - beyond)) == same


@cases.each("dtype", [t for t in DTYPES.values() if cases.is_inexact(t)], ids=str)
def test_equal_scales_cancel_without_computing(dtype):
    """Wild bits survive: signalling NaNs, the largest numbers, subnormals."""
    source = vech.Layout("lower", "columns", offdiagonal_scale=2**0.5, diagonal_scale=0.3)
    target = vech.Layout("upper", "columns", offdiagonal_scale=2**0.5, diagonal_scale=0.3)
    half = cases.raw(dtype, reference.length(source, 33))
    assert_same_bits(
        vech.convert(half, source, target, kind="symmetric"),
        reference.convert(half, source, target, "symmetric"),
    )


def test_only_the_scaled_part_is_computed():
    half = cases.raw(np.float64, reference.length(VECH, 17))
    layout = vech.Layout(offdiagonal_scale=2.0)
    for slot, (i, j) in enumerate(reference.cells(layout, 17)):
        if i != j:
            half[slot] = 1.5
    assert_same_bits(vech.expand(half, layout), reference.expand(half, layout))


@cases.each("dtype", ["float16", "float32", "float64", "complex64", "complex128", ">f4"])
def test_infinities_and_nans_pass_through_a_scale(dtype):
    layout = SCALED["both-scaled"]
    half = np.array([np.inf, -np.inf, np.nan, 1, 0.0, -0.0], dtype)
    full = vech.expand(half, layout, kind="symmetric")
    again = vech.pack(full, layout, kind="symmetric")
    np.testing.assert_array_equal(again.real[:5], half.real[:5])
    assert np.signbit(again[5].real) and again[5] == 0


@pytest.mark.parametrize("name", SMALL)
def test_every_bit_pattern_of_a_small_float_survives(name):
    dtype = DTYPES[name]
    patterns = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    length = 253 * 254 // 2 if dtype.itemsize == 2 else 190
    half = np.resize(patterns, length).view(dtype)
    for target in ("numpy-triu", "numpy-tril", "lapack-upper"):
        there = vech.convert(half, "vech", target)
        assert_same_bits(vech.convert(there, target, "vech"), half)
    full = vech.expand(half)
    i, j = VECH.pair(np.arange(length), len(full))
    np.testing.assert_array_equal(cases.words(full)[i, j], cases.words(half))
    np.testing.assert_array_equal(cases.words(full)[j, i], cases.words(half))


@every_target
@cases.each(
    "dtype",
    [
        DTYPES[name]
        for name in ("bool", "int8", "float16", "float64", ">i4", "M8[D]", *SMALL)
        if name in DTYPES
    ],
    ids=str,
    where=lambda layout, dtype: layout.diagonal != "one" or dtype.kind != "M",  # no date
)
@cases.each("layout", UNSCALED | UNSCALED_TENSORS)
def test_real_data_are_symmetric_unless_told_otherwise(layout, dtype):
    """Without a keyword, as most calls are; small matrices take a way of their own."""
    for n in range(0 if layout.diagonal == "stored" else 1, 26):
        if not cases.has_side(layout, n):
            continue
        half = cases.raw(dtype, reference.length(layout, n))
        full = reference.expand(half, layout)
        assert_same_bits(vech.expand(half, layout), full)
        assert_same_bits(vech.expand(half[None], layout), full[None])
        assert_same_bits(vech.pack(full, layout), half)


def test_a_small_result_is_an_array_of_its_own():
    half = np.arange(6.0)
    first, second = vech.expand(half), vech.expand(half)
    first[...] = 7
    assert second[2, 2] == 5 and half[5] == 5
    assert first.flags.c_contiguous and first.flags.owndata and first.flags.writeable


# ---- laws --------------------------------------------------------------------------------------------------


@st.composite
def halves(draw, layouts=UNSCALED):
    layout = draw(st.sampled_from(list(layouts.values())))
    dtype = draw(st.sampled_from(list(DTYPES.values())))
    kind = draw(st.sampled_from(KINDS))
    n = draw(st.integers(0, 40))
    assume(cases.fits(layout, dtype, kind, n))
    batch = draw(st.lists(st.integers(0, 3), max_size=3))
    return cases.half(dtype, layout, kind, n, batch=batch, salt=draw(st.integers(0, 9))), layout, kind


@every_target
@given(halves())
def test_packing_what_was_expanded_restores_it(drawn):
    half, layout, kind = drawn
    assert_same_bits(vech.pack(vech.expand(half, layout, kind=kind), layout, kind=kind), half)


@given(halves())
def test_any_believed_triangle_restores_the_half(drawn):
    half, layout, kind = drawn
    assume(kind != "triangular")
    full = vech.expand(half, layout, kind=kind)
    for use in ("lower", "upper"):
        assert_same_bits(vech.pack(full, layout, kind=kind, use=use), half)


@every_target
@given(halves(), st.sampled_from(list(UNSCALED.values())))
def test_converting_there_and_back_is_the_same_bits(drawn, other):
    half, layout, kind = drawn
    n = layout.side(half.shape[-1])
    assume(cases.convertible(layout, other, half.dtype, kind, n))
    if other.diagonal != "stored":
        cases.set_diagonal(half, layout, n, {"zero": 0, "one": 1}[other.diagonal])
    there = vech.convert(half, layout, other, kind=kind)
    assert_same_bits(vech.convert(there, other, layout, kind=kind), half)


@given(halves(), st.sampled_from(list(UNSCALED.values())))
def test_converting_is_packing_what_was_expanded(drawn, other):
    half, layout, kind = drawn
    n = layout.side(half.shape[-1])
    assume(cases.convertible(layout, other, half.dtype, kind, n))
    if other.diagonal != "stored":
        cases.set_diagonal(half, layout, n, {"zero": 0, "one": 1}[other.diagonal])
    full = vech.expand(half, layout, kind=kind)
    assert_same_bits(vech.convert(half, layout, other, kind=kind), vech.pack(full, other, kind=kind))


@given(halves(), st.sampled_from([None, 1, 2, 5]))
def test_a_batch_is_its_matrices(drawn, threads):
    half, layout, kind = drawn
    full = vech.expand(half, layout, kind=kind, threads=threads)
    for index in np.ndindex(half.shape[:-1]):
        assert_same_bits(vech.expand(half[index], layout, kind=kind), full[index])


@given(halves())
def test_the_expanded_matrix_is_of_its_kind(drawn):
    half, layout, kind = drawn
    full = vech.expand(half, layout, kind=kind)
    n = full.shape[-1]
    mirrored = reference.mirror(np.ascontiguousarray(full.swapaxes(-1, -2)), kind)
    other = np.tri(n, k=-1, dtype=bool) if layout.triangle == "upper" else ~np.tri(n, dtype=bool)
    assert cases.words(full)[..., other].tobytes() == cases.words(mirrored)[..., other].tobytes()


@given(halves(layouts=SCALED))
def test_scaling_there_and_back_is_within_rounding(drawn):
    half, layout, kind = drawn
    again = vech.pack(vech.expand(half, layout, kind=kind), layout, kind=kind).astype(np.complex128)
    np.testing.assert_array_less(
        np.abs(again - half.astype(np.complex128)),
        cases.tolerance(half.dtype, 0) * np.abs(half.astype(np.complex128)) + np.finfo(np.float16).tiny,
    )


# ---- both ways through expand ------------------------------------------------------------------------------


@every_target
@cases.each("kind", ["symmetric", "triangular"])
@cases.each(
    "dtype", [DTYPES[name] for name in ("bool", "int16", "float32", "float64", "complex128")], ids=str
)
@cases.each("layout", PLAIN.values(), ids=PLAIN)
def test_tiles_and_scatter_give_the_same_bits(layout, dtype, kind):
    for n, density in ((1, 1.0), (4, 0.3), (65, 0.0), (65, 0.02), (130, 0.001), (130, 0.5), (130, 1.0)):
        half = cases.sparse_half(dtype, reference.length(layout, n), density)
        want = reference.expand(half, layout, kind)
        for route in ("tiles", "scatter", "auto"):
            assert_same_bits(_expand(half, layout, kind, None, 1, route=route), want)


@cases.each("threads", [1, 2, 7])
@cases.each("density", [0.0, 0.0005, 0.01])
def test_scatter_of_a_large_sparse_half_gives_the_same_bits(density, threads):
    n = 1100
    for name in ("vech", "numpy-tril", "condensed"):
        layout = vech.as_layout(name)
        half = cases.sparse_half(np.float64, layout.length(n), density)
        tiles = _expand(half, layout, "symmetric", None, threads, route="tiles")
        assert_same_bits(_expand(half, layout, "symmetric", None, threads, route="scatter"), tiles)
        assert_same_bits(vech.expand(half, layout, threads=threads), tiles)


@cases.each("memory", list(MEMORY))
def test_scatter_into_a_dirty_out_leaves_no_old_number(memory):
    layout, n = VECH, 65
    half = cases.sparse_half(np.float32, reference.length(layout, n), 0.01)
    block, cut = cases.block_for((n, n), half.dtype, memory)
    got = _expand(half, layout, "symmetric", cut(block), 1, route="scatter")
    assert got.tobytes() == reference.expand(half, layout).tobytes()


# ---- memory: any strides in and out ------------------------------------------------------------------------

SHAPES_OF_MEMORY = cases.pairwise(
    lambda memory, dtype, layout, n, kind, batch: (
        cases.fits(layout, dtype, kind, n) and (n < 65 or not batch)
    ),
    memory=tuple(MEMORY),
    dtype=DTYPES,
    layout=LAYOUTS,
    n=(1, 4, 17, 65),
    kind=KINDS,
    batch=((), (3,), (2, 3)),
)


@every_target
@cases.each(("memory", "dtype", "layout", "n", "kind", "batch"), SHAPES_OF_MEMORY)
def test_inputs_may_lie_in_any_strides(memory, dtype, layout, n, kind, batch):
    half = cases.half(dtype, layout, kind, n, batch=batch)
    full = reference.expand(half, layout, kind)
    assert_same_bits(vech.expand(cases.laid_out(half, memory), layout, kind=kind), full)
    packed = reference.pack(full, layout, kind)
    assert_same_bits(vech.pack(cases.laid_out(full, memory), layout, kind=kind), packed)
    assert_same_bits(vech.convert(cases.laid_out(half, memory), layout, layout, kind=kind), half)


@every_target
@cases.each(("memory", "dtype", "layout", "n", "kind", "batch"), SHAPES_OF_MEMORY)
def test_out_may_lie_in_any_strides_and_nothing_beside_it_is_written(memory, dtype, layout, n, kind, batch):
    half = cases.half(dtype, layout, kind, n, batch=batch)
    full = reference.expand(half, layout, kind)
    packed = reference.pack(full, layout, kind)
    order = vech.Layout("lower" if layout.triangle == "lower" else "upper", diagonal=layout.diagonal)
    for want, call in (
        (full, lambda out: vech.expand(half, layout, kind=kind, out=out)),
        (packed, lambda out: vech.pack(full, layout, kind=kind, out=out)),
        (
            reference.convert(packed, layout, order, kind),
            lambda out: vech.convert(packed, layout, order, kind=kind, out=out),
        ),
    ):
        block, cut = cases.block_for(want.shape, want.dtype, memory)
        expected = block.copy(order="K")
        cases.write_bits(cut(expected), want)
        out = cut(block)
        assert call(out) is out
        assert block.tobytes() == expected.tobytes()


def test_many_leading_axes():
    batch = (2, 1, 3, 1, 2, 1, 1, 2, 1, 2)
    half = cases.raw(np.float32, (*batch, 10)).transpose(9, 1, 7, 3, 5, 4, 6, 2, 8, 0, 10)
    assert_same_bits(vech.expand(half), reference.expand(half, VECH))


def test_a_broadcast_input_is_read_in_place():
    half = np.broadcast_to(np.float32(3), (5, 2, 10))
    assert_same_bits(vech.expand(half), np.full((5, 2, 4, 4), 3, np.float32))
    full = np.broadcast_to(np.int8(2), (3, 6, 6))
    assert_same_bits(vech.pack(full), np.full((3, 21), 2, np.int8))


@pytest.mark.parametrize("batch", [(0,), (2, 0, 3)])
def test_an_empty_batch_has_an_empty_answer(batch):
    assert vech.expand(np.zeros((*batch, 10))).shape == (*batch, 4, 4)
    assert vech.pack(np.zeros((*batch, 4, 4))).shape == (*batch, 10)
    assert vech.convert(np.zeros((*batch, 10)), "vech", "numpy-tril").shape == (*batch, 10)


def test_inputs_are_left_alone():
    half = cases.raw(np.float64, 2080)
    full = reference.expand(half, VECH)
    for array in (half, full):
        array.flags.writeable = False
    vech.convert(half, "vech", "numpy-tril")
    assert_same_bits(vech.pack(full), half)
    assert_same_bits(vech.expand(half), full)


@cases.each("kind", ["symmetric", "hermitian", "skew"])
@cases.each("target", ["vech", "numpy-triu", "svec-lower"])
def test_convert_between_layouts_of_one_order_may_work_in_place(kind, target):
    target = vech.as_layout(target)
    half = cases.half(np.complex128, VECH, kind, 33, values=cases.moderate)
    want = reference.convert(half, VECH, target, kind)
    assert vech.convert(half, "vech", target, kind=kind, out=half) is half
    assert_same_bits(half, want)


@pytest.mark.parametrize(
    ("target", "kind", "moves"),
    [
        ("vech", "hermitian", 0),
        ("numpy-triu", "symmetric", 0),
        ("numpy-triu", "hermitian", 1),
        ("svec-lower", "symmetric", 1),
    ],
)
def test_convert_in_place_moves_nothing_where_nothing_changes(monkeypatch, target, kind, moves):
    calls, kernel = [], _core.convert
    monkeypatch.setattr(_core, "convert", lambda *arguments: calls.append(0) or kernel(*arguments))
    half = cases.half(np.complex128, VECH, kind, 5, values=cases.moderate)
    want = reference.convert(half, VECH, vech.as_layout(target), kind)
    assert vech.convert(half, "vech", target, kind=kind, out=half) is half
    assert_same_bits(half, want)
    assert len(calls) == moves


# ---- into given memory -------------------------------------------------------------------------------------


@cases.each("threads", [None, 1, 3])
@cases.each("name", ["vech", "numpy-tril", "condensed"])
def test_a_plain_half_goes_to_its_kernel_without_a_second_look(monkeypatch, name, threads):
    monkeypatch.setattr(expanding, "_expand", None)
    half = cases.raw(np.int8, vech.as_layout(name).length(10))
    out = np.empty((10, 10), np.int8)
    assert vech.expand(half, name, kind="symmetric", out=out, threads=threads) is out
    assert_same_bits(out, reference.expand(half, vech.as_layout(name), "symmetric"))


@cases.each("name", ["vech", "numpy-tril", "condensed", "svec-lower", "voigt-stress"])
@cases.each("kind", [kind for kind in KINDS if kind != "triangular"])
@cases.each("dtype", [np.dtype("f8"), np.dtype(">f4"), np.dtype("c16")], ids=str)
def test_given_memory_holds_what_new_memory_would(name, kind, dtype):
    layout = vech.as_layout(name)
    n = 3 if name == "voigt-stress" else 23
    half = cases.half(dtype, layout, kind, n, values=cases.moderate)
    try:
        wanted = vech.expand(half, name, kind=kind)
    except (TypeError, ValueError) as reason:
        with pytest.raises(type(reason)):
            vech.expand(half, name, kind=kind, out=np.empty((n, n), dtype))
        return
    sparse = np.zeros(2 * half.size, dtype)[::2]
    sparse[...] = half
    outs = np.empty((n, n), dtype), np.empty((n, n), dtype, "F"), np.empty((n, 2 * n), dtype)[:, ::2]
    for numbers, out in itertools.product((half, sparse), outs):
        assert vech.expand(numbers, name, kind=kind, out=out) is out
        assert_same_bits(np.ascontiguousarray(out), wanted)


def test_given_memory_is_asked_what_it_is():
    half = np.zeros(10, np.int8)
    for out, error, says in (
        (np.empty((4, 4), np.int16), TypeError, "out has dtype int16"),
        (np.empty((4, 5), np.int8), ValueError, "out has shape"),
        (np.broadcast_to(np.int8(0), (4, 4)), ValueError, "read-only"),
        (np.lib.stride_tricks.as_strided(half, (4, 4), (1, 1)), ValueError, "share memory"),
    ):
        with pytest.raises(error, match=says):
            vech.expand(half, "vech", kind="symmetric", out=out)
    memory = np.zeros(20, np.int8)
    with pytest.raises(ValueError, match="shares memory with the input"):
        vech.expand(memory[:10], "vech", kind="symmetric", out=memory[4:].reshape(4, 4))
    with pytest.raises(TypeError, match="threads must be a positive integer"):
        vech.expand(half, "vech", kind="symmetric", out=np.empty((4, 4), np.int8), threads=1.5)
    with pytest.raises(OverflowError, match="-128"):
        vech.expand(np.full(10, -128, np.int8), "numpy-tril", kind="skew", out=np.empty((4, 4), np.int8))


# ---- small and empty ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.complex64, bool])
def test_nothing_is_a_matrix_of_side_zero(dtype):
    for name in ("vech", "numpy-tril"):
        full = vech.expand(np.zeros(0, dtype), name, kind="symmetric")
        assert full.shape == (0, 0) and full.dtype == dtype
        assert vech.pack(full, name, kind="symmetric").shape == (0,)


@pytest.mark.parametrize(("diagonal", "number"), [("zero", 0), ("one", 1)])
def test_a_strict_half_without_numbers_is_one_by_one(diagonal, number):
    layout = vech.Layout(diagonal=diagonal)
    assert_same_bits(vech.expand(np.zeros(0), layout), np.full((1, 1), float(number)))
    assert vech.pack(np.full((1, 1), float(number)), layout).shape == (0,)
    assert vech.convert(np.zeros(0), layout, "vech").tolist() == [number]
    assert vech.convert(np.array([float(number)]), "vech", layout).shape == (0,)


def test_a_0_by_0_matrix_cannot_be_packed_strictly():
    with pytest.raises(ValueError, match=r"0 x 0|\(0, 0\)|n = 0|n=0"):
        vech.pack(np.zeros((0, 0)), "condensed")
    with pytest.raises(ValueError, match=r"0 x 0|\(0, 0\)|n = 0|n=0"):
        vech.convert(np.zeros(0), "vech", "condensed")


# ---- negation and conjugation ------------------------------------------------------------------------------


@cases.each("dtype", ["int8", "int16", "int32", "int64", ">i2", ">i8"])
def test_the_smallest_integer_cannot_be_negated(dtype):
    smallest = np.iinfo(dtype).min
    half = np.array([0, 5, smallest, 0, 7, 0], dtype)
    with pytest.raises(OverflowError, match=str(smallest)):
        vech.expand(half, kind="skew")
    with pytest.raises(OverflowError, match=str(smallest)):
        vech.convert(half, "vech", "lapack-upper", kind="skew")
    full = np.zeros((3, 3), dtype)
    full[2, 1] = smallest
    with pytest.raises(OverflowError, match=str(smallest)):
        vech.pack(full, "lapack-upper", kind="skew", use="lower")
    with pytest.raises((OverflowError, ValueError), match=str(smallest)):
        vech.pack(full, kind="skew")
    full[1, 2] = smallest
    with pytest.raises((OverflowError, ValueError), match=str(smallest)):
        vech.pack(full, kind="skew")


def test_the_smallest_integer_moves_where_it_is_not_negated():
    smallest = np.iinfo(np.int64).min
    half = np.array([smallest, 5, 6, 0, 7, smallest])
    assert vech.expand(half, kind="skew")[0, 0] == smallest
    assert_same_bits(vech.expand(np.full(6, smallest)), np.full((3, 3), smallest))
    half[1] = smallest
    assert_same_bits(vech.convert(half, "vech", "numpy-tril", kind="skew"), half[[0, 1, 3, 2, 4, 5]])


def test_nat_negates_to_nat():
    half = np.array([0, "NaT", 2, 0, 3, 0], "m8[s]")
    full = vech.expand(half, kind="skew")
    assert np.isnat(full[1, 0]) and np.isnat(full[0, 1])
    assert full[0, 2] == np.timedelta64(-2, "s")
    assert_same_bits(vech.pack(full, kind="skew"), half)


@cases.each("dtype", ["bool", "uint8", "uint64", ">u2"])
@cases.each("kind", ["skew", "skew-hermitian"])
def test_skew_needs_a_signed_dtype(dtype, kind):
    for call in (
        lambda: vech.expand(np.zeros(6, dtype), kind=kind),
        lambda: vech.pack(np.zeros((3, 3), dtype), kind=kind),
        lambda: vech.convert(np.zeros(6, dtype), "vech", "numpy-triu", kind=kind),
    ):
        with pytest.raises(TypeError, match=r"(?s)skew.*sign.*(u2|uint|bool)|(u2|uint|bool).*(signed|sign)"):
            call()


def test_a_negated_number_changes_its_sign_bit_and_nothing_else():
    half = cases.half(np.float32, vech.Layout(diagonal="zero"), "skew", 33)
    full = vech.expand(half, "condensed", kind="skew")
    lower, upper = np.tril_indices(33, -1), np.tril_indices(33, -1)[::-1]
    np.testing.assert_array_equal(cases.words(full)[lower] ^ 0x80000000, cases.words(full)[upper])


@pytest.mark.skipif(not SMALL, reason="ml_dtypes is not installed")
@pytest.mark.parametrize("name", ["float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e4m3b11fnuz"])
def test_floats_without_a_negative_zero_are_negated_rightly_or_not_at_all(name):
    """The sign bit alone is NaN in these types: flipping it would turn zero into NaN."""
    import ml_dtypes

    half = np.array([0, 0, 1, 0, -2, 0], getattr(ml_dtypes, name))
    try:
        full = vech.expand(half, kind="skew")
    except TypeError:
        return
    assert_same_bits(full, reference.expand(half, VECH, "skew"))


@pytest.mark.parametrize("dtype", ["int32", "float64", "bool", "uint8"])
def test_a_real_hermitian_matrix_is_symmetric(dtype):
    half = cases.raw(dtype, 45)
    assert_same_bits(vech.expand(half, kind="hermitian"), vech.expand(half, kind="symmetric"))


def test_a_real_skew_hermitian_matrix_is_skew():
    half = cases.half(np.float64, VECH, "skew", 9)
    assert_same_bits(vech.expand(half, kind="skew-hermitian"), vech.expand(half, kind="skew"))


def test_a_hermitian_half_by_rows_is_the_conjugate_of_the_other_triangle_by_columns():
    half = cases.half(np.complex128, vech.Layout("lower", "rows"), "hermitian", 5)
    other = vech.convert(half, "numpy-tril", "lapack-upper", kind="hermitian")
    np.testing.assert_array_equal(other.real.view("u8"), half.real.view("u8"))
    np.testing.assert_array_equal(
        np.signbit(other.imag),
        [
            np.signbit(x) if i == j else not np.signbit(x)
            for x, (i, j) in zip(half.imag, reference.cells(vech.Layout("lower", "rows"), 5), strict=True)
        ],
    )


def test_a_move_keeps_the_bits_of_a_hermitian_diagonal():
    half = cases.raw(np.complex64, 45)
    assert_same_bits(vech.expand(half, kind="hermitian"), reference.expand(half, VECH, "hermitian"))
    half = cases.raw(np.float64, 45)
    assert_same_bits(vech.expand(half, kind="skew"), reference.expand(half, VECH, "skew"))


# ---- scale errors ------------------------------------------------------------------------------------------


@cases.each("dtype", ["bool", "int32", "uint8", "M8[s]", "m8[s]"])
def test_a_scale_needs_an_inexact_dtype(dtype):
    half = np.zeros(6, dtype)
    for call in (
        lambda: vech.expand(half, "svec-lower"),
        lambda: vech.pack(np.zeros((3, 3), dtype), "svec-upper"),
        lambda: vech.convert(half, "vech", "svec-lower"),
    ):
        with pytest.raises(TypeError, match=rf"(?s){half.dtype.name[:5]}.*astype"):
            call()


@cases.each("name", ["float16", "float32", "float64", "complex64", "complex128", ">f8", ">f2", *SMALL])
@cases.each("n", [2, 5, 130])
def test_a_finite_number_that_would_become_infinite_is_an_overflow(name, n):
    dtype = DTYPES[name]
    largest = _largest(dtype)
    half = np.zeros(reference.length(VECH, n), dtype)
    half[1] = largest
    shrinking, growing = (
        vech.Layout(offdiagonal_scale=0.25),
        vech.Layout("upper", "rows", offdiagonal_scale=4.0),
    )
    diagonal = vech.Layout(diagonal_scale=0.25)
    with pytest.raises(OverflowError, match=r"(?i)infinite|range|overflow"):
        vech.expand(half, shrinking, kind="symmetric")
    with pytest.raises(OverflowError, match=r"(?i)infinite|range|overflow"):
        vech.pack(vech.expand(half, kind="symmetric"), growing, kind="symmetric")
    with pytest.raises(OverflowError, match=r"(?i)infinite|range|overflow"):
        vech.convert(np.stack([np.zeros_like(half), half]), shrinking, growing, kind="symmetric")
    half[0], half[1] = largest, 0
    with pytest.raises(OverflowError, match=r"(?i)infinite|range|overflow"):
        vech.expand(half, diagonal, kind="symmetric")
    assert_same_bits(vech.expand(half, shrinking, kind="symmetric"), reference.expand(half, VECH))


def _largest(dtype):
    if reference.is_ml(dtype):
        import ml_dtypes

        return ml_dtypes.finfo(dtype).max
    return np.finfo(dtype).max


# ---- what pack believes ------------------------------------------------------------------------------------


def spoiled(n=7, at=(5, 2), by=1.0, dtype=np.float64):
    full = cases.matrix(dtype, "symmetric", n)
    full[at] += np.array(by, dtype)
    return full


@cases.each("dtype", ["float64", "float32", "int32", "uint8", "complex128", ">f8", "float16"])
@cases.each("n", [7, 65, 130])
@cases.each("layout", ["vech", "numpy-triu"])
def test_a_matrix_that_is_not_symmetric_names_the_worst_pair_and_both_values(dtype, n, layout):
    full = cases.matrix(dtype, "symmetric", n)
    full[3, 1] += np.array(2, dtype)
    full[2, 6] += np.array(100, dtype)
    with pytest.raises(ValueError, match=either(2, 6)) as caught:
        vech.pack(full, layout, kind="symmetric")
    for value in (full[2, 6], full[6, 2]):
        assert str(value) in str(caught.value) or str(value.item()) in str(caught.value)


@every_target
@cases.each("memory", list(MEMORY))
@cases.each("n", [5, 16, 17, 33, 130])
def test_one_wrong_bit_anywhere_is_found_in_any_memory(memory, n):
    full = cases.matrix(np.int32, "symmetric", n)
    for i, j in ((1, 0), (0, n - 1), (n - 1, n - 2), (n // 2, n - 1), (n - 1, n // 3)):
        wrong = full.copy()
        wrong[i, j] ^= 1 << 30
        with pytest.raises(ValueError, match=either(i, j)):
            vech.pack(cases.laid_out(wrong, memory))
        batch = cases.laid_out(np.stack([full, wrong]), memory)
        with pytest.raises(ValueError, match=either(i, j)):
            vech.pack(batch)


@cases.each("n", [7, 130])
@cases.each(
    ("kind", "dtype"), [("hermitian", "c16"), ("skew", "f8"), ("skew", "i4"), ("skew-hermitian", "c8")]
)
def test_a_matrix_that_is_not_of_its_kind_is_refused(kind, dtype, n):
    full = cases.matrix(np.dtype(dtype), kind, n)
    vech.pack(full, kind=kind)
    full[5, 2] += np.array(100, full.dtype)
    with pytest.raises(ValueError, match=rf"(?s){kind}.*{either(5, 2)}"):
        vech.pack(full, kind=kind)


@pytest.mark.parametrize(
    ("kind", "number"), [("hermitian", 1 + 1j), ("skew", 1.0), ("skew", 1j), ("skew-hermitian", 1.0)]
)
def test_the_diagonal_is_judged_against_its_own_mirror(kind, number):
    full = cases.matrix(np.complex128, kind, 9)
    full[4, 4] = number
    with pytest.raises(ValueError, match=either(4, 4)):
        vech.pack(full, kind=kind)


def test_the_other_triangle_of_a_triangular_matrix_is_zero():
    full = np.tri(5)
    assert vech.pack(full, kind="triangular").tolist() == [1.0] * 15
    full[1, 3] = 0.5
    with pytest.raises(ValueError, match=either(1, 3) + r".*0\.5"):
        vech.pack(full, kind="triangular")
    assert vech.pack(full, kind="triangular", use="lower").tolist() == [1.0] * 15


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64"])
def test_the_default_tolerance_is_n_eps_times_the_largest_number(dtype):
    n, eps = 8, float(np.finfo(dtype).eps)
    full = np.zeros((n, n), dtype)
    full[7, 7] = 1
    full[5, 2] = 0.5
    full[2, 5] = 0.5 + n * eps
    assert vech.pack(full, kind="symmetric")[vech.Layout().position(5, 2, n)] == 0.5
    assert vech.pack(full, "lapack-upper", kind="symmetric")[17] == full[2, 5]
    full[2, 5] = 0.5 + (n + 0.5) * eps
    with pytest.raises(ValueError, match=either(2, 5)):
        vech.pack(full, kind="symmetric")


def test_the_tolerance_is_judged_by_the_finite_numbers_of_each_matrix():
    full = np.zeros((2, 4, 4))
    full[0, 0, 0] = 1e9
    full[0, 1, 2] = 1e-8
    full[1, 0, 0] = 1
    vech.pack(full)
    full[1, 1, 2] = 1e-8
    with pytest.raises(ValueError, match=either(1, 2)):
        vech.pack(full)
    single = full[1]
    single[3, 3] = np.inf
    with pytest.raises(ValueError, match=either(1, 2)):
        vech.pack(single)
    single[3, 3] = np.nan
    with pytest.raises(ValueError, match=either(1, 2)):
        vech.pack(single)


def test_the_number_kept_is_the_one_in_the_layouts_own_triangle():
    full = np.array([[1.0, 2.0], [2.5, 4.0]])
    assert vech.pack(full, "vech", tolerance=1).tolist() == [1, 2.5, 4]
    assert vech.pack(full, "numpy-triu", tolerance=1).tolist() == [1, 2, 4]


def test_a_tolerance_is_absolute_and_inclusive():
    full = np.array([[1.0, 2.0], [2.5, 4.0]])
    vech.pack(full, tolerance=0.5)
    with pytest.raises(ValueError, match=either(1, 0)):
        vech.pack(full, tolerance=0.49)


@cases.each("dtype", ["int64", "uint64", "bool", "M8[s]", "m8[s]"])
def test_exact_numbers_have_no_tolerance_by_default(dtype):
    full = np.zeros((4, 4), dtype)
    full[1, 2] = np.array(1, "i8").astype(dtype)
    with pytest.raises(ValueError, match=either(1, 2)):
        vech.pack(full)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_large_integers_are_compared_exactly(dtype):
    full = np.full((3, 3), np.iinfo(dtype).max, dtype)
    assert_same_bits(vech.pack(full), full[0, [0] * 6])
    full[0, 2] -= 1
    with pytest.raises(ValueError, match=either(0, 2)):
        vech.pack(full)


def test_differences_of_integers_do_not_wrap():
    full = np.zeros((3, 3), np.int8)
    full[0, 1], full[1, 0] = -128, 127
    with pytest.raises(ValueError, match=either(0, 1)):
        vech.pack(full, tolerance=10)
    unsigned = np.zeros((3, 3), np.uint8)
    unsigned[0, 1], unsigned[1, 0] = 1, 2
    assert vech.pack(unsigned, tolerance=1)[1] == 2


def test_differences_of_the_largest_floats_do_not_hide():
    full = np.zeros((3, 3))
    full[0, 1], full[1, 0] = -1.7e308, 1.7e308
    with pytest.raises(ValueError, match=either(0, 1)):
        vech.pack(full)


@cases.each("dtype", ["float64", "float32", "float16", "complex128", *SMALL])
def test_infinities_equal_each_other_and_nan_goes_with_nan(dtype):
    dtype = DTYPES[dtype]
    infinite = [] if dtype.name == "float8_e4m3fn" else [np.inf, -np.inf]
    for number, other in itertools.product([1.0, np.nan, *infinite], repeat=2):
        full = np.zeros((4, 4), dtype)
        full[3, 1], full[1, 3] = number, other
        if number == other or (np.isnan(number) and np.isnan(other)):
            vech.pack(full, kind="symmetric")
        else:
            with pytest.raises(ValueError, match=either(3, 1)):
                vech.pack(full, kind="symmetric")
            if not np.isfinite(number) or not np.isfinite(other):
                with pytest.raises(ValueError, match=either(3, 1)):
                    vech.pack(full, kind="symmetric", tolerance=1e30)


def test_nans_of_different_payload_go_together():
    bits = np.zeros((2, 2), np.uint64)
    bits[1, 0], bits[0, 1] = 0x7FF8000000000005, 0xFFF8000000000007
    half = vech.pack(bits.view(np.float64))
    assert half.view(np.uint64)[1] == 0x7FF8000000000005


def test_signed_zeros_are_equal():
    full = np.zeros((2, 2))
    full[0, 1] = -0.0
    assert not np.signbit(vech.pack(full)[1])
    assert np.signbit(vech.pack(full, "numpy-triu")[1])


def test_nat_goes_with_nat():
    full = np.zeros((3, 3), "M8[s]")
    full[0, 2] = full[2, 0] = np.datetime64("NaT")
    assert np.isnat(vech.pack(full)[2])
    full[2, 0] = 5
    with pytest.raises(ValueError, match=either(0, 2)):
        vech.pack(full)


def test_the_matrix_of_a_batch_that_is_wrong_is_refused():
    full = np.zeros((2, 3, 4, 4))
    full[1, 2, 3, 0] = 1
    with pytest.raises(ValueError, match=either(3, 0)):
        vech.pack(full)


@pytest.mark.parametrize("use", ["lower", "upper"])
def test_a_tolerance_without_a_comparison_is_an_error(use):
    with pytest.raises(TypeError, match=rf"tolerance.*{use}|{use}.*tolerance"):
        vech.pack(np.zeros((3, 3)), use=use, tolerance=1e-9)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_is_not_negative(tolerance):
    with pytest.raises(ValueError, match=rf"tolerance.*{tolerance}"):
        vech.pack(np.zeros((3, 3)), tolerance=tolerance)


@pytest.mark.parametrize("dtype", ["int32", "bool", "M8[s]", "m8[s]"])
def test_mean_needs_an_inexact_dtype(dtype):
    with pytest.raises(TypeError, match=r"(?s)mean.*astype|astype.*mean|mean.*inexact"):
        vech.pack(np.zeros((3, 3), dtype), use="mean")


def test_an_unknown_use_names_the_choices():
    with pytest.raises(ValueError, match=r"(?s)use.*lowr.*lower"):
        vech.pack(np.zeros((3, 3)), use="lowr")


# ---- diagonals that are not stored -------------------------------------------------------------------------


@cases.each("use", ["both", "lower", "upper", "mean"])
@cases.each(("diagonal", "right"), [("zero", 0.0), ("one", 1.0)])
def test_packing_into_an_implied_diagonal_needs_that_diagonal(diagonal, right, use):
    layout = vech.Layout(diagonal=diagonal)
    full = cases.matrix(np.float64, "symmetric", 5)
    np.fill_diagonal(full, right)
    assert_same_bits(vech.pack(full, layout, use=use), full.T[np.triu_indices(5, 1)])
    full[3, 3] = 0.5
    with pytest.raises(ValueError, match=either(3, 3) + r".*0\.5"):
        vech.pack(full, layout, use=use)


def test_an_implied_diagonal_is_judged_within_the_tolerance():
    full = np.eye(5)
    full[3, 3] += 4 * np.finfo(float).eps
    vech.pack(full, vech.Layout(diagonal="one"))
    full[3, 3] += 0.01
    vech.pack(full, vech.Layout(diagonal="one"), tolerance=0.02)
    with pytest.raises(ValueError, match=r"\b3\b"):
        vech.pack(full, vech.Layout(diagonal="one"))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_implied_diagonal_is_finite(wrong):
    full = np.zeros((4, 4))
    full[2, 2] = wrong
    for use in ("both", "lower"):
        with pytest.raises(ValueError, match=r"\b2\b"):
            vech.pack(full, "condensed", use=use)


@pytest.mark.parametrize("dtype", ["float64", "int8", "complex64", "bool"])
def test_converting_into_an_implied_diagonal_needs_it_exactly(dtype):
    half = cases.half(dtype, VECH, "symmetric", 5, values=cases.moderate)
    cases.set_diagonal(half, VECH, 5, 1)
    one = vech.Layout("upper", diagonal="one")
    assert_same_bits(
        vech.convert(half, "vech", one, kind="symmetric"), reference.convert(half, VECH, one, "symmetric")
    )
    half[VECH.position(2, 2, 5)] = 0 if dtype != "float64" else np.nextafter(1.0, 2)
    with pytest.raises(ValueError, match=either(2, 2)):
        vech.convert(half, "vech", one, kind="symmetric")
    batch = np.stack(
        [reference.convert(np.zeros(10, dtype), vech.Layout(diagonal="one"), VECH, "symmetric"), half]
    )
    with pytest.raises(ValueError, match=either(2, 2)):
        vech.convert(batch, "vech", one, kind="symmetric")


def test_one_implied_diagonal_is_not_the_other():
    with pytest.raises(ValueError, match=r"(?s)one.*zero|zero.*one|\b1\b.*\b0\b|diagonal"):
        vech.convert(np.zeros(6), vech.Layout(diagonal="one"), "condensed")


def test_an_implied_one_is_scaled_like_any_number():
    target = vech.Layout(diagonal_scale=0.5)
    assert vech.convert(np.array([7.0]), vech.Layout(diagonal="one"), target).tolist() == [0.5, 7.0, 0.5]


# ---- other errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 4, 5, 11])
def test_a_length_that_fits_no_side_names_the_nearest(length):
    with pytest.raises(ValueError, match=rf"(?s)\b{length}\b.*n ?= ?\d"):
        vech.expand(np.zeros(length))
    with pytest.raises(ValueError, match=rf"(?s)\b{length}\b.*n ?= ?\d"):
        vech.convert(np.zeros((3, length)), "vech", "numpy-tril")


def test_the_message_of_a_wrong_length_says_what_fits():
    with pytest.raises(ValueError, match=r"11.*n\(n\+1\)/2.*10 for n ?= ?4 or 15 for n ?= ?5"):
        vech.expand(np.zeros(11))
    with pytest.raises(ValueError, match=r"11.*n\(n-1\)/2.*10 for n ?= ?5 or 15 for n ?= ?6"):
        vech.expand(np.zeros(11), "condensed")


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (5,), ()])
def test_pack_needs_square_matrices(shape):
    with pytest.raises(ValueError, match=r"(?s)square|n, n"):
        vech.pack(np.zeros(shape))


def test_a_number_is_no_half():
    with pytest.raises(ValueError, match=r"shape|axis|axes|1-D|0-D"):
        vech.expand(np.array(3.0))
    with pytest.raises(TypeError, match="float64"):
        vech.expand(np.float64(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda **kind: vech.expand(np.zeros(6, complex), **kind),
        lambda **kind: vech.pack(np.zeros((3, 3), complex), **kind),
        lambda **kind: vech.convert(np.zeros(6, complex), "vech", "numpy-triu", **kind),
    ],
    ids=["expand", "pack", "convert"],
)
def test_the_kind_of_complex_data_must_be_said(call):
    with pytest.raises((ValueError, TypeError), match="say kind='symmetric' or kind='hermitian'"):
        call()
    with pytest.raises(ValueError, match=r"(?s)kind.*hermitan.*hermitian"):
        call(kind="hermitan")
    call(kind="hermitian")


def test_a_triangular_half_cannot_go_to_the_other_triangle():
    with pytest.raises(ValueError, match=r"(?s)triangular.*lower.*upper|lower.*upper.*triang"):
        vech.convert(np.zeros(6), "vech", "numpy-triu", kind="triangular")


@pytest.mark.parametrize(
    "call", [lambda l: vech.expand(np.zeros(6), l), lambda l: vech.pack(np.zeros((3, 3)), l)]
)
def test_an_unknown_layout_is_answered_with_the_nearest(call):
    with pytest.raises(ValueError, match=r"svec_lower.*svec-lower"):
        call("svec_lower")


def test_a_length_never_tells_whether_the_diagonal_is_there():
    half = np.zeros(15)
    for layout, n, words in (
        ("vech", 6, "n=6 without the diagonal, as in layout 'condensed'"),
        ("condensed", 5, "n=5 with the diagonal, as in layout 'vech'"),
    ):
        with pytest.raises(ValueError, match=f"; 15 numbers are {words}$"):
            vech.expand(half, layout, out=np.zeros((n, n)))
    with pytest.raises(ValueError, match="6 numbers are n=3 with the diagonal"):
        vech.pack(np.zeros((3, 3)), "condensed", out=np.zeros(6))
    with pytest.raises(ValueError, match=r"the result has \(5, 5\)$"):
        vech.expand(half, "vech", out=np.zeros((4, 4)))


def test_a_signalling_nan_is_scaled_without_a_warning():
    half = np.full(6, 0x7C01, "u2").view("f2")
    assert np.isnan(vech.expand(half, "svec-lower")).all()
    assert np.isnan(vech.convert(half, "svec-lower", "vech")).all()
