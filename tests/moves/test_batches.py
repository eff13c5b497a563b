"""Long batches of small matrices: records in a row, which vectors move a line of memory at a time."""

import itertools

import numpy as np
import pytest
from test_limits import guarded, posix, shifted

import cases
import reference
import vech
from cases import EXPLICIT, PLAIN, SCALED
from compare import assert_same_bits

every_target = pytest.mark.every_target
LAYOUTS = {
    "vech": PLAIN["lower-columns-stored"],
    "numpy-tril": PLAIN["lower-rows-stored"],
    "numpy-triu": PLAIN["upper-rows-stored"],
    "condensed": PLAIN["lower-columns-zero"],
    "svec-lower": SCALED["svec-lower"],
    "both-scaled": SCALED["both-scaled"],
    "doubled": vech.Layout("upper", "columns", offdiagonal_scale=2.0),  # a power of two
    **EXPLICIT,
}
SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16)


def computed(numbers, factor, dtype):
    """numbers x factors as the reference does it: in float64, shrinking first, rounded once."""
    divisor, multiplier = factor
    if divisor == multiplier:
        return numbers
    real = dtype.char.lower() if dtype.kind == "c" else dtype  # component by component
    wide = np.ascontiguousarray(numbers).view(real).astype(np.float64)
    scaled = wide * multiplier / divisor if divisor < 1 else wide / divisor * multiplier
    return scaled.astype(real).view(dtype)


@reference.remembered
def expanded(half, layout, n):
    """The full triangular matrices of a batch, a column of numbers at a time."""
    full = np.zeros((len(half), n, n), half.dtype)
    if layout.diagonal == "one":
        full[:, range(n), range(n)] = 1
    for slot, ((i, j), crossed) in enumerate(
        zip(reference.cells(layout, n), reference.crossed(layout, n), strict=True)
    ):
        numbers = half[:, slot].conj() if crossed else half[:, slot]
        full[:, i, j] = computed(numbers, (reference.scale(layout, i, j), 1.0), half.dtype)
    return full


def mirrored(full, layout):
    """The same matrices, symmetric."""
    n = full.shape[-1]
    other = np.tri(n, k=-1, dtype=bool) if layout.triangle == "upper" else ~np.tri(n, dtype=bool)
    both = full.copy()
    both[:, other] = full.swapaxes(-1, -2)[:, other]
    return both


@reference.remembered
def packed(full, layout, n):
    columns = []
    for (i, j), crossed in zip(reference.cells(layout, n), reference.crossed(layout, n), strict=True):
        own = computed(full[:, i, j], (1.0, reference.scale(layout, i, j)), full.dtype)
        columns.append(own.conj() if crossed else own)
    return np.ascontiguousarray(np.stack(columns, axis=-1))


@reference.remembered
def converted(half, source, target, n):
    numbers = {cell: half[:, slot] for slot, cell in enumerate(reference.cells(source, n))}
    columns = []
    for i, j in reference.cells(target, n):
        at = (i, j) if (i, j) in numbers else (j, i)
        factors = reference.scale(source, i, j), reference.scale(target, i, j)
        columns.append(computed(numbers[at], factors, half.dtype))
    return np.ascontiguousarray(np.stack(columns, axis=-1))


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    found = cases.moderate(dtype, shape)
    found.reshape(-1)[::7] = 0
    return found


@reference.remembered
def long_batch(layout, dtype, n, kind):
    """Halves, their full matrices, and these packed again: a scale may round."""
    half = numbers(dtype, (1000, reference.length(layout, n)))
    full = expanded(half, layout, n)
    if kind == "symmetric":
        full = mirrored(full, layout)
    return half, full, packed(full, layout, n) if layout.diagonal == "stored" else ()


@every_target
@cases.each("dtype", ["f4", "f8", "c8"])
@cases.each(
    ("layout", "n"),
    [
        pytest.param(layout, n, id=f"{name}-{n}")
        for (name, layout), n in itertools.product(LAYOUTS.items(), SIDES)
        if cases.has_side(layout, n)
    ],
)
def test_batches_of_any_length(layout, dtype, n):
    """One record, then about as many as vectors need, then many."""
    dtype = np.dtype(dtype)
    kind = "triangular" if dtype.kind == "c" else "symmetric"
    halves, fulls, wanted = long_batch(layout, dtype, n, kind)
    for count in (1, 63, 64, 65, 66, 67, 79, 131, 1000):
        half, full = halves[:count], fulls[:count]
        assert_same_bits(vech.expand(half, layout, kind=kind), full)
        if layout.diagonal == "stored":
            want = wanted[:count]
            assert_same_bits(vech.pack(full, layout, kind=kind), want)
            assert_same_bits(vech.pack(full, layout, kind=kind, use=layout.triangle), want)


@every_target
@cases.each("dtype", ["f4", "f8", "i4"])
@cases.each("n", [2, 3, 5, 6, 16])
def test_batches_of_halves_go_to_any_layout(dtype, n):
    dtype = np.dtype(dtype)
    names = [name for name, layout in LAYOUTS.items() if cases.fits(layout, dtype, "symmetric", n)]
    names = [name for name in names if LAYOUTS[name].diagonal == "stored"]
    for source, target in itertools.permutations(names, 2):
        half = numbers(dtype, (201, n * (n + 1) // 2))
        want = converted(half, LAYOUTS[source], LAYOUTS[target], n)
        assert_same_bits(vech.convert(half, LAYOUTS[source], LAYOUTS[target]), want)


@every_target
@cases.each("dtype", ["f4", "f8", "f2", "c16"])
@cases.each("n", [2, 3, 4, 6, 16])
@cases.each("name", ["vech", "svec-lower", "lapack-rfp-nu"])
def test_batches_at_every_byte_offset(dtype, name, n):
    dtype, layout = np.dtype(dtype), LAYOUTS[name]
    for count in (70, 257):
        half = numbers(dtype, (count, reference.length(layout, n)))
        full = expanded(half, layout, n)
        again = packed(full, layout, n)  # a scale may round
        for offset in range(0, 64, 1 if count < 100 else 7):
            for source, want, call in (
                (half, full, lambda x, out: vech.expand(x, layout, kind="triangular", out=out)),
                (full, again, lambda x, out: vech.pack(x, layout, kind="triangular", out=out)),
            ):
                _, given, _ = shifted(source, (offset * 5 + 3) % 64, 0)
                cases.write_bits(given, source)
                block, out, start = shifted(want, offset, 0xA5)
                call(given, out)
                assert out.tobytes() == want.tobytes()
                assert (block[:start] == 0xA5).all() and (block[start + want.nbytes :] == 0xA5).all()


@every_target
@cases.each("dtype", ["f4", "f8", "c8", "f2"])
@cases.each("target", ["vech", "numpy-triu", "svec-lower", "doubled"])
@cases.each("n", [1, 2, 3, 4, 6, 16])
def test_batches_converted_in_place(dtype, target, n):
    """Every number is scaled once, also those before the first whole line and behind the last."""
    dtype, target = np.dtype(dtype), LAYOUTS[target]
    source = LAYOUTS["vech"] if target.grow == LAYOUTS["vech"].grow else LAYOUTS["numpy-tril"]
    for count in (64, 67, 300):
        half = numbers(dtype, (count, n * (n + 1) // 2))
        want = converted(half, source, target, n)
        for offset in range(0, 64, 1 if n == 3 else 8):
            _, there, _ = shifted(half, offset, 0)
            cases.write_bits(there, half)
            assert vech.convert(there, source, target, kind="symmetric", out=there) is there
            assert there.tobytes() == want.tobytes(), (count, offset)


@every_target
@posix
@cases.each("where", ["behind the guard", "before the guard"])
@cases.each("dtype", ["f4", "f8", "c8", "u1"])
@cases.each("name", ["vech", "numpy-triu", "lapack-rfp-tl", "voigt-stress"])
def test_nothing_is_read_or_written_beside_a_batch(name, dtype, where):
    layout, dtype = LAYOUTS[name], np.dtype(dtype)
    for n, count in itertools.product((1, 2, 3, 4, 6, 7, 16), (64, 65, 70, 100)):
        if not cases.has_side(layout, n):
            continue
        values = numbers(dtype, (count, reference.length(layout, n)))
        wanted = expanded(values, layout, n)
        rows = converted(values, LAYOUTS["vech"], LAYOUTS["numpy-tril"], n)
        with guarded(values.nbytes) as place_half, guarded(wanted.nbytes) as place_full:
            half, full = place_half(where, values.shape, dtype), place_full(where, wanted.shape, dtype)
            cases.write_bits(half, values)
            vech.expand(half, layout, kind="triangular", out=full)
            assert full.tobytes() == wanted.tobytes()
            with guarded(rows.nbytes) as place_rows:
                target = place_rows(where, rows.shape, dtype)
                vech.convert(half, "vech", "numpy-tril", kind="symmetric", out=target)
                assert target.tobytes() == rows.tobytes()
                del target
            half[...] = 0
            vech.pack(full, layout, kind="triangular", out=half)
            assert half.tobytes() == values.tobytes()
            del half, full


@every_target
@cases.each("dtype", ["f4", "f8"])
@cases.each("n", [2, 3, 6])
def test_records_may_have_gaps_or_go_backwards(dtype, n):
    layout, dtype = LAYOUTS["vech"], np.dtype(dtype)
    length = n * (n + 1) // 2
    half = numbers(dtype, (150, length))
    full = mirrored(expanded(half, layout, n), layout)
    wide = np.full((150, length + 5), 77, dtype)
    for start in range(6):
        wide[:, start : start + length] = half
        assert_same_bits(vech.expand(wide[:, start : start + length], layout), full)
        assert_same_bits(vech.expand(wide[::-1, start : start + length], layout), full[::-1].copy())
        assert_same_bits(vech.expand(wide[::2, start : start + length], layout), full[::2].copy())
    padded = np.full((150, n, n + 3), 77, dtype)
    padded[:, :, 1 : n + 1] = full
    assert_same_bits(vech.pack(padded[:, :, 1 : n + 1], layout), half)
    out = np.full((150, length + 2), 77, dtype)
    vech.pack(full, layout, out=out[:, 1:-1])
    assert_same_bits(np.ascontiguousarray(out[:, 1:-1]), half)
    assert (out[:, [0, -1]] == 77).all()
    out = np.full((150, n, n), 77, dtype)
    vech.expand(half, layout, out=out[::-1])
    assert_same_bits(out, full[::-1].copy())
    same = np.broadcast_to(half[:1], half.shape)
    assert_same_bits(vech.expand(same, layout), np.broadcast_to(full[:1], full.shape).copy())
    sliding = np.lib.stride_tricks.sliding_window_view(half.reshape(-1), length)[:140]
    want = mirrored(expanded(np.ascontiguousarray(sliding), layout, n), layout)
    assert_same_bits(vech.expand(sliding, layout), want)
    turned = half.reshape(3, 50, length).swapaxes(0, 1)
    assert_same_bits(
        vech.expand(turned, layout), np.ascontiguousarray(full.reshape(3, 50, n, n).swapaxes(0, 1))
    )


@every_target
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_records_may_lie_far_apart(dtype):
    """Cells beyond any table of a record's numbers: strides are the caller's."""
    layout = LAYOUTS["vech"]
    for n, gap in ((3, 5000), (3, 400), (6, 1000), (16, 100)):
        half = numbers(np.dtype(dtype), (80, n * (n + 1) // 2))
        full = mirrored(expanded(half, layout, n), layout)
        out = np.zeros((80, n, n + gap), dtype)[:, :, :n]
        assert_same_bits(np.ascontiguousarray(vech.expand(half, out=out)), full)
        out = np.zeros((80, half.shape[1], gap), dtype)[:, :, 0]
        assert_same_bits(np.ascontiguousarray(vech.pack(full, use="lower", out=out)), half)
        want = vech.convert(half, "vech", "numpy-tril")
        assert_same_bits(np.ascontiguousarray(vech.convert(half, "vech", "numpy-tril", out=out)), want)


@every_target
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
def test_extreme_values_of_batches(dtype):
    """Payloads of NaNs, infinities, -0.0 and subnormals, where numbers are scaled and where they are not."""
    dtype = np.dtype(dtype)
    half = np.resize(cases.specials(dtype), (399, 6))
    assert_same_bits(vech.expand(half), half[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3))
    diagonal = vech.Layout(diagonal_scale=1e3)
    half[:, [0, 3, 5]] = 1e3
    full = vech.expand(half, diagonal)
    assert_same_bits(full[:, [1, 2, 2], [0, 0, 1]].copy(), half[:, [1, 2, 4]].copy())
    assert (full[:, range(3), range(3)] == 1).all()
    tiny = np.full((200, 6), np.finfo(dtype).smallest_subnormal, dtype)
    for scale in (2.0, 3.0, 0.5, 1 / 3, 2.0**-60, 2.0**60):
        layout = vech.Layout("upper", "rows", offdiagonal_scale=scale)
        assert_same_bits(
            vech.expand(tiny, layout), np.repeat(reference.expand(tiny[:1], layout), 200, axis=0)
        )


@every_target
@cases.each("dtype", ["f4", "f8"])
@cases.each("scale", [5e-324, 2.0**-1050, 2.0**-1022, 1e308, 2.0**1023, 1.7e-310])
def test_scales_at_the_ends_of_their_range(dtype, scale):
    layout = vech.Layout(offdiagonal_scale=scale)
    half = np.zeros((300, 6), dtype)
    half[:, [0, 3, 5]] = 7
    half[::2, 1], half[::3, 2] = -0.0, np.inf
    want = reference.expand(half[:6], layout)
    assert_same_bits(vech.expand(half, layout), np.tile(want, (50, 1, 1)))
    assert_same_bits(vech.expand(half[:6], layout), want)
    if scale < 1e300:
        full = np.tile(np.diag(np.array([7, 7, 7], dtype)), (300, 1, 1))
        assert_same_bits(vech.pack(full, layout), np.tile(reference.pack(full[:1], layout), (300, 1)))


@every_target
@cases.each("dtype", ["f4", "f8"])
@cases.each("scale", [0.5, 0.3])
@cases.each("row", [0, 1, 63, 150, 298, 299])
def test_an_overflow_anywhere_in_a_batch_is_found(dtype, scale, row):
    layout = vech.Layout(offdiagonal_scale=scale)
    for slot in (1, 2, 4):
        half = np.ones((300, 6), dtype)
        half[row, slot] = -np.finfo(dtype).max
        with pytest.raises(OverflowError, match="a finite number becomes infinite"):
            vech.expand(half, layout)
        with pytest.raises(OverflowError, match="a finite number becomes infinite"):
            vech.expand(np.ascontiguousarray(half.T), layout, axis=0)
        half[row, slot] = np.inf
        assert np.isinf(vech.expand(half, layout)).sum() == 2
        half[row, slot] = 1
        half[row, 0] = np.finfo(dtype).max  # is not scaled
        assert np.isfinite(vech.expand(half, layout)).all()


@every_target
@pytest.mark.parametrize(("dtype", "count"), [("f4", 550_003), ("f8", 275_003)])
def test_batches_larger_than_caches(dtype, count):
    """Halves of the 12 MB that are written past every cache, and more."""
    half = np.arange(6 * count, dtype=dtype).reshape(count, 6)
    full = half[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(count, 3, 3)
    rows = half[:, [0, 1, 3, 2, 4, 5]]
    for threads in (1, 3):
        for offset in (0, 4, 8)[threads > 1 :: 2]:
            _, out, _ = shifted(full, offset, 0xA5)
            vech.expand(half, out=out, threads=threads)
            assert np.array_equal(out, full)
        assert np.array_equal(vech.pack(full, threads=threads), half)
        assert np.array_equal(vech.convert(half, "vech", "numpy-tril", threads=threads), rows)
        scaled = vech.expand(half, vech.Layout(offdiagonal_scale=2.0), threads=threads)
        assert np.array_equal(scaled[:, range(3), range(3)], half[:, [0, 3, 5]])
        assert np.array_equal(scaled[:, 1, 0], half[:, 1] / np.dtype(dtype).type(2))
