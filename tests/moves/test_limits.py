"""The edges of memory, alignment, size and time; threads, forks, signals and odd floating-point modes."""

import contextlib
import ctypes
import itertools
import mmap
import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import cases
import reference
import vech
from cases import DTYPES, PLAIN, RFP, SPIRALS, TENSORS
from compare import assert_same_bits
from vech.moves.expanding import _expand

every_target = pytest.mark.every_target
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own accounts")
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and processes")

ITEMS = {1: np.dtype("u1"), 2: np.dtype("f2"), 4: np.dtype("f4"), 8: np.dtype("f8"), 16: np.dtype("c16")}
every_item = pytest.mark.parametrize("dtype", ITEMS.values(), ids=[f"{size}-bytes" for size in ITEMS])
ORDERS = {"grow": vech.Layout("lower", "rows"), "shrink": vech.Layout("lower", "columns")}
every_order = pytest.mark.parametrize("layout", ORDERS.values(), ids=ORDERS)
PIECES = RFP | SPIRALS
EXPLICIT = PIECES | {"voigt-stress": TENSORS["voigt-stress"]}


# ---- guard pages: a byte read or written beside an array is a crash ----------------------------------------


libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def guarded(nbytes):
    """Gives a function that places bytes directly before or directly after a page that nobody may touch."""
    page = mmap.PAGESIZE
    inner = -(-max(nbytes, 1) // page) * page
    area = mmap.mmap(-1, inner + 2 * page)
    anchor = ctypes.c_char.from_buffer(area)
    start = ctypes.addressof(anchor)
    pages = [ctypes.c_void_p(start), ctypes.c_void_p(start + page + inner)]
    for guard in pages:
        assert libc.mprotect(guard, ctypes.c_size_t(page), 0) == 0
    place = {"behind the guard": page, "before the guard": page + inner - nbytes}

    def array(where, shape, dtype):
        return np.ndarray(shape, dtype, buffer=area, offset=place[where])

    try:
        yield array
    finally:
        for guard in pages:
            libc.mprotect(guard, ctypes.c_size_t(page), mmap.PROT_READ | mmap.PROT_WRITE)
        del anchor


WHERE = ("behind the guard", "before the guard")


def check_nothing_is_touched_outside(layout, other, kind, where, values, wanted, converted):
    n, dtype = len(wanted), values.dtype
    with guarded(values.nbytes) as place_half, guarded(wanted.nbytes) as place_full:
        half, full = place_half(where, values.shape, dtype), place_full(where, wanted.shape, dtype)
        cases.write_bits(half, values)
        for route in ("tiles", "scatter") if layout in ORDERS.values() else ("tiles",):
            full[...] = 0
            _expand(half, layout, kind, full, 1, route=route)
            assert full.tobytes() == wanted.tobytes()
        half[...] = 0
        vech.pack(full, layout, kind=kind, out=half)
        assert half.tobytes() == values.tobytes()
        with guarded(values.nbytes) as place_target:
            target = place_target(where, values.shape, dtype)
            vech.convert(half, layout, other, kind=kind, out=target)
            assert target.tobytes() == converted.tobytes()
            half[...] = 0
            vech.convert(target, other, layout, kind=kind, out=half)
            assert half.tobytes() == values.tobytes()
            del target
        if layout not in ORDERS.values():
            for start, stop in ((0, n // 2), (n // 2, n), (n // 3, n - n // 3), (n - 1, n)):
                part = wanted[start:stop]
                with guarded(part.nbytes) as place_rows:
                    rows = place_rows(where, part.shape, dtype)
                    _expand(half, layout, kind, rows, 1, rows=(start, stop))
                    assert rows.tobytes() == part.tobytes()
                    del rows
        del half, full


@posix
@every_target
@every_item
@pytest.mark.parametrize("layout", (ORDERS | EXPLICIT).values(), ids=ORDERS | EXPLICIT)
def test_nothing_is_touched_outside_the_arrays(layout, dtype):
    other = layout_of_other_order(layout)
    kind = "triangular" if layout in RFP.values() else "symmetric"  # which any number may be
    for n in (1, 2, 3, 4, 7, 15, 16, 17, 33, 64, 65, 127, 130, 193):
        if not cases.has_side(layout, n) or (layout not in ORDERS.values() and n > 130):
            continue
        values = cases.raw(dtype, reference.length(layout, n))
        wanted = reference.expand(values, layout, kind)
        converted = reference.convert(values, layout, other, kind)
        for where in WHERE:
            check_nothing_is_touched_outside(layout, other, kind, where, values, wanted, converted)


@posix
@every_target
@every_item
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("traversal", ["rows", "columns"])
def test_nothing_is_touched_outside_a_half_without_its_diagonal(traversal, dtype, where):
    layout = vech.Layout("lower", traversal, diagonal="zero")
    for n in (17, 24, 32, 40, 48, 64, 96, 128):  # squares on the diagonal end where the half does
        values = cases.raw(dtype, reference.length(layout, n))
        wanted = reference.expand(values, layout, "symmetric")
        with guarded(values.nbytes) as place_half, guarded(wanted.nbytes) as place_full:
            half, full = place_half(where, values.shape, dtype), place_full(where, wanted.shape, dtype)
            cases.write_bits(half, values)
            vech.expand(half, layout, kind="symmetric", out=full)
            assert full.tobytes() == wanted.tobytes()
            half[...] = 0
            vech.pack(full, layout, kind="symmetric", out=half)
            assert half.tobytes() == values.tobytes()
            del half, full


@posix
@every_target
@every_item
@cases.each("where", list(WHERE))
@cases.each("layout", (ORDERS | EXPLICIT).values(), ids=ORDERS | EXPLICIT)
def test_nothing_is_touched_outside_batches_whose_numbers_come_first(layout, dtype, where):
    for n, count in ((1, 5), (3, 1), (3, 7), (3, 700), (3, 5000), (16, 33), (17, 3)):
        if not cases.has_side(layout, n):
            continue
        cells = reference.cells(layout, n)
        values = cases.raw(dtype, (len(cells), count))
        wanted = np.zeros((n, n, count), dtype)
        for slot, ((i, j), crossed) in enumerate(zip(cells, reference.crossed(layout, n), strict=True)):
            own = values[slot].conj() if crossed and dtype.kind == "c" else values[slot]
            cases.write_bits(wanted[i, j], own)
        with guarded(values.nbytes) as place_half, guarded(wanted.nbytes) as place_full:
            half, full = place_half(where, values.shape, dtype), place_full(where, wanted.shape, dtype)
            cases.write_bits(half, values)
            vech.expand(half, layout, kind="triangular", axis=0, out=full)
            assert full.tobytes() == wanted.tobytes()
            half[...] = 0
            vech.pack(full, layout, kind="triangular", use=layout.triangle, axis=0, out=half)
            assert half.tobytes() == values.tobytes()
            del half, full


def layout_of_other_order(layout):
    if not isinstance(layout, vech.Layout):
        return layout.plain
    return vech.Layout(layout.triangle, {"rows": "columns", "columns": "rows"}[layout.traversal])


# ---- every byte offset: no unwritten cell, nothing written outside -----------------------------------------


def shifted(array, offset, pattern):
    """The array at a byte offset within a cache line of a block full of the pattern."""
    block = np.full(array.nbytes + 192, pattern, "u1")
    start = -block.ctypes.data % 64 + offset
    view = np.ndarray(array.shape, array.dtype, buffer=block, offset=start)
    return block, view, start


@every_target
@every_item
@every_order
@pytest.mark.parametrize("n", [5, 33, 130])
def test_every_byte_offset_of_input_and_output(layout, dtype, n):
    check_byte_offsets(layout, dtype, n, "symmetric", range(64))


@every_target
@every_item
@cases.each("layout", PIECES.values(), ids=PIECES)
@cases.each("n", [33, 64])
def test_every_byte_offset_of_explicit_orders(layout, dtype, n):
    kind = "hermitian" if dtype.kind == "c" else "symmetric"
    check_byte_offsets(layout, dtype, n, kind, (0, 1, 7, 8, 16, 24, 33, 48, 63))


def check_byte_offsets(layout, dtype, n, kind, offsets):
    other = layout_of_other_order(layout)
    half = cases.half(dtype, layout, kind, n)
    full = reference.expand(half, layout, kind)
    half = reference.pack(full, layout, kind)  # zeros that are conjugated on the diagonal
    converted = reference.convert(half, layout, other, kind)
    for offset in offsets:
        for source, want, call in (
            (half, full, lambda x, out: vech.expand(x, layout, kind=kind, out=out)),
            (full, half, lambda x, out: vech.pack(x, layout, kind=kind, use=layout.triangle, out=out)),
            (full, half, lambda x, out: vech.pack(x, layout, kind=kind, out=out)),
            (half, converted, lambda x, out: vech.convert(x, layout, other, kind=kind, out=out)),
            (converted, half, lambda x, out: vech.convert(x, other, layout, kind=kind, out=out)),
        ):
            _, given, _ = shifted(source, offset, 0)
            cases.write_bits(given, source)
            for pattern in (0xA5, 0x5A):  # a cell left unwritten differs from one of them
                block, out, start = shifted(want, (offset * 5 + 3) % 64, pattern)
                call(given, out)
                assert out.tobytes() == want.tobytes()
                assert (block[:start] == pattern).all() and (block[start + want.nbytes :] == pattern).all()


# ---- large: bands enough for threads; test_streamed.py runs these past the caches too ----------------------

# of five bands at least, which are higher past the caches, at sides that fit no block
LARGE = {
    "1-byte": (np.dtype("u1"), 1151),
    "2-bytes": (np.dtype("f2"), 1051),
    "4-bytes": (np.dtype("f4"), 583),
    "8-bytes": (np.dtype("f8"), 535),
    "complex64": (np.dtype("c8"), 537),
    "complex128": (np.dtype("c16"), 331),
}
every_large = pytest.mark.parametrize(("dtype", "n"), LARGE.values(), ids=LARGE)


def placed(order, n):
    """Rows, columns and whether conjugated, of each number of an order of pieces, by NumPy's slices."""
    slots, crossed = np.zeros((n, n), np.int64), np.zeros((n, n), bool)
    own = np.tri(n, dtype=bool) if order.triangle == "lower" else np.tri(n, dtype=bool).T
    if order in SPIRALS.values():
        x = np.arange(n * (n + 1) // 2)
        filled = (x[n:], x[::-1]) if order.triangle == "lower" else (x, x[n:][::-1])
        slots[...] = np.concatenate(filled).reshape(n, n)
    else:
        first, last, even = n // 2, n - n // 2, 1 - n % 2
        rectangle = np.arange((n + even) * last)
        shape = (n + even, last)
        rectangle = rectangle.reshape(shape) if order.transposed else rectangle.reshape(shape[::-1]).T
        crossed[...] = order.transposed
        if order.triangle == "lower":
            slots[:, :last] = rectangle[even:]
            slots[last:, last:] = rectangle[:first, 1 - even :].T
            crossed[last:, last:] ^= True
        else:
            slots[:, first:] = rectangle[:n]
            slots[:first, :first] = rectangle[first + 1 :, :first].T
            crossed[:first, :first] ^= True
    i, j = np.nonzero(own)
    stored = np.argsort(slots[own])
    return i[stored], j[stored], crossed[own][stored]


def pairs(layout, n):
    """Rows and columns of a half in storage order, by NumPy."""
    if not isinstance(layout, vech.Layout):
        return placed(layout, n)[:2]
    off = int(layout.diagonal != "stored")
    if layout.traversal == "rows":
        return np.tril_indices(n, -off) if layout.triangle == "lower" else np.triu_indices(n, off)
    return (np.triu_indices(n, off) if layout.triangle == "lower" else np.tril_indices(n, -off))[::-1]


@reference.remembered
def expanded(half, layout, kind, n):
    """The full matrix of a large half without scales, by NumPy's indexing of words."""
    full = np.zeros((n, n), half.dtype)
    np.fill_diagonal(full, {"one": 1, "zero": 0}.get(layout.diagonal, 0))
    i, j = pairs(layout, n)
    words = f"u{min(half.itemsize, 8)}"
    numbers = half.view(words).reshape(len(half), -1).copy()
    mirrored = numbers.copy()
    if kind == "triangular":
        mirrored[...] = 0
    elif kind != "symmetric":
        parts = half.copy().view(f"f{half.itemsize // 2}").view(f"u{half.itemsize // 2}").reshape(-1, 2)
        sign = parts.dtype.type(1 << (8 * parts.itemsize - 1))
        parts[:, 0 if kind == "skew-hermitian" else 1] ^= sign
        mirrored = parts.view(words).reshape(len(half), -1)
    cells = full.view(words).reshape(n, n, -1)
    cells[j, i] = mirrored
    cells[i, j] = numbers
    return full


@every_target
@every_large
@pytest.mark.parametrize("layout", [PLAIN[name] for name in PLAIN if "zero" not in name], ids=str)
def test_every_number_of_threads_gives_the_right_bits(dtype, n, layout):
    kind = "symmetric"
    if dtype.kind == "c":
        kind = {"lower": "hermitian", "upper": "skew-hermitian"}[layout.triangle]
        if layout.diagonal == "one":
            kind = "triangular"
    half = cases.raw(dtype, layout.length(n))
    full = expanded(half, layout, kind, n)
    other = vech.Layout(layout.triangle, {"rows": "columns", "columns": "rows"}[layout.traversal])
    converted = full[pairs(other, n)]
    for threads in (1, 3, 7):
        assert_same_bits(vech.expand(half, layout, kind=kind, threads=threads), full)
        assert_same_bits(vech.pack(full, layout, kind=kind, use=layout.triangle, threads=threads), half)
        assert_same_bits(vech.convert(half, layout, other, kind=kind, threads=threads), converted)
    if kind == "symmetric":
        upside = {"lower": "upper", "upper": "lower"}[layout.triangle]
        assert_same_bits(vech.pack(full, layout, kind=kind, use=upside, threads=3), half)
        assert_same_bits(vech.pack(full, layout, kind=kind, threads=3), half)


# odd and even sides, as rectangles differ
LARGE_PIECES = {
    "1-byte": (np.dtype("u1"), 1151),
    "4-bytes": (np.dtype("f4"), 584),
    "8-bytes": (np.dtype("f8"), 535),
    "complex64": (np.dtype("c8"), 538),
    "complex128": (np.dtype("c16"), 331),
}


@every_target
@pytest.mark.parametrize(("dtype", "n"), LARGE_PIECES.values(), ids=LARGE_PIECES)
@pytest.mark.parametrize("order", PIECES.values(), ids=PIECES)
def test_large_matrices_of_explicit_orders(order, dtype, n):
    """Threads, rows around the split of the order, and outputs at odd addresses."""
    kind = "symmetric"
    if dtype.kind == "c":
        kind = "hermitian" if order in RFP.values() else "skew-hermitian"
    half = cases.raw(dtype, order.length(n))
    true = half.copy()
    if dtype.kind == "c":
        parts = true.view(f"u{dtype.itemsize // 2}").reshape(-1, 2)
        parts[placed(order, n)[2], 1] ^= parts.dtype.type(1 << (4 * dtype.itemsize - 1))
    full = expanded(true, order, kind, n)
    by_rows = vech.Layout(order.triangle, "rows")
    rows = full[pairs(by_rows, n)]
    for threads, offset in ((1, 8), (3, 37)):
        for source, want, call in (
            (half, full, lambda x, out, t: vech.expand(x, order, kind=kind, out=out, threads=t)),
            (
                full,
                half,
                lambda x, out, t: vech.pack(x, order, kind=kind, use=order.triangle, out=out, threads=t),
            ),
            (half, rows, lambda x, out, t: vech.convert(x, order, by_rows, kind=kind, out=out, threads=t)),
            (rows, half, lambda x, out, t: vech.convert(x, by_rows, order, kind=kind, out=out, threads=t)),
        ):
            block, out, start = shifted(want, offset, 0xA5)
            call(source, out, threads)
            assert out.tobytes() == want.tobytes()
            assert (block[:start] == 0xA5).all() and (block[start + want.nbytes :] == 0xA5).all()
    store = vech.Packed(half, order, kind=kind)
    split = n // 2
    for start, stop in ((0, split), (split, n), (split + 1, n), (split - 150, split + 151), (5, 6), (64, n)):
        _, out, _ = shifted(full[start:stop], 16, 0xA5)
        assert_same_bits(store.expand(slice(start, stop), out, threads=2), full[start:stop])


# the same, where every row begins at a cache line
ALIGNED = {
    "1-byte-lines": (np.dtype("u1"), 1152),
    "2-bytes-lines": (np.dtype("f2"), 1056),
    "4-bytes-lines": (np.dtype("f4"), 592),
    "8-bytes-lines": (np.dtype("f8"), 536),
    "16-bytes-lines": (np.dtype("c16"), 332),
}


@every_target
@pytest.mark.parametrize(("dtype", "n"), (LARGE | ALIGNED).values(), ids=LARGE | ALIGNED)
@pytest.mark.parametrize("layout", [PLAIN[name] for name in PLAIN if "stored" in name], ids=str)
def test_panels_of_rows_of_a_large_matrix(dtype, n, layout):
    kind = "hermitian" if dtype.kind == "c" else "symmetric"
    half = cases.raw(dtype, layout.length(n))
    full = expanded(half, layout, kind, n)
    store = vech.Packed(half, layout, kind=kind)
    for start, stop in (
        (0, n // 2),
        (n // 2, n),
        (n // 3, n // 3 + 201),
        (n - 1, n),
        (5, 6),
        (64, 320),
        (7, n),
    ):
        _, out, _ = shifted(full[start:stop], 0, 0xA5)
        assert_same_bits(store.expand(slice(start, stop), out, threads=2), full[start:stop])


@every_target
@pytest.mark.parametrize(("dtype", "n"), (LARGE | ALIGNED).values(), ids=LARGE | ALIGNED)
def test_large_outputs_at_every_offset(dtype, n):
    """The edges of stores that bypass the cache depend on the address."""
    layout = ORDERS["shrink"]
    half = cases.raw(dtype, layout.length(n))
    want = expanded(half, layout, "symmetric", n)
    for offset in (*range(0, 64, 16), 1, 8, 37, 63):
        block, out, start = shifted(want, offset, 0xA5)
        vech.expand(half, layout, kind="symmetric", out=out)
        assert out.tobytes() == want.tobytes()
        assert (block[:start] == 0xA5).all() and (block[start + want.nbytes :] == 0xA5).all()


# ---- threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 64])
def test_a_batch_is_shared_among_threads(threads):
    half = cases.raw(np.float64, (100_000, 6))
    want = half[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    assert_same_bits(vech.expand(half, threads=threads), want)
    assert_same_bits(vech.pack(want, threads=threads), half)
    few = cases.raw(np.float32, (3, 500 * 501 // 2))
    got = vech.expand(few, threads=threads)
    for k in range(3):
        assert_same_bits(got[k], expanded(few[k], ORDERS["shrink"], "symmetric", 500))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_an_asymmetry_is_found_by_whichever_thread_meets_it(threads):
    n = 1000
    for where in ((0, 1), (0, n - 1), (n - 1, n - 2), (n // 2, 3)):
        full = np.zeros((n, n))
        full[where] = 1
        with pytest.raises(ValueError, match=rf"[\[(]({where[0]}, {where[1]}|{where[1]}, {where[0]})[\])]"):
            vech.pack(full, threads=threads)


@pytest.mark.parametrize("threads", [1, 7])
def test_an_overflow_is_found_by_whichever_thread_meets_it(threads):
    n, layout = 1000, vech.Layout(offdiagonal_scale=0.5)
    for slot in (1, layout.length(n) // 2, layout.length(n) - 2):
        half = np.zeros(layout.length(n))
        half[slot] = np.finfo(float).max
        with pytest.raises(OverflowError):
            vech.expand(half, layout, threads=threads)


def test_two_python_threads_work_at_once():
    halves = [cases.raw(np.float64, 701 * 702 // 2, salt=k) for k in range(2)]
    wanted = [expanded(half, ORDERS["shrink"], "symmetric", 701) for half in halves]
    wrong, begin = [], threading.Barrier(2)

    def work(half, want):
        begin.wait()
        for _ in range(10):
            full = vech.expand(half, threads=2)
            if full.tobytes() != want.tobytes() or vech.pack(full, threads=2).tobytes() != half.tobytes():
                wrong.append(half)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(halves, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_interpreter_lock_is_released_in_a_kernel():
    """Another thread counts on meanwhile: in one of some calls, for a busy machine may stop it too."""
    half, out = np.zeros(6000 * 6001 // 2), np.empty((6000, 6000))

    def longest_silence():
        ticks, done = [], threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.perf_counter())

        clock = threading.Thread(target=tick)
        clock.start()
        try:
            start = time.perf_counter()
            _expand(half, ORDERS["shrink"], "symmetric", out, 1, route="tiles")
            stop = time.perf_counter()
        finally:
            done.set()
            clock.join()
        inside = [t for t in ticks if start < t < stop]
        return max(np.diff([start, *inside, stop])) / (stop - start)

    assert any(longest_silence() < 1 / 2 for _ in range(5))


@posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_call_after_fork_works_in_the_child():
    half = cases.raw(np.float64, 701 * 702 // 2)
    want = vech.expand(half, threads=3)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(600)
            same = vech.expand(half, threads=3).tobytes() == want.tobytes()
            code = 0 if same and vech.pack(want, threads=3).tobytes() == half.tobytes() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# ---- floating-point modes ----------------------------------------------------------------------------------


@contextlib.contextmanager
def subnormals_flushed():
    """Sets flush-to-zero and denormals-are-zero in this thread, through the C library's fesetenv."""
    machine = platform.machine().lower()
    if sys.platform != "linux" or machine not in ("x86_64", "amd64", "aarch64"):
        pytest.skip(
            f"the floating-point environment of {sys.platform} on {machine} is not known to this test"
        )
    libm = ctypes.CDLL("libm.so.6")
    saved, environment = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    libm.fegetenv(saved)
    libm.fegetenv(environment)
    if machine == "aarch64":
        environment[0] |= 1 << 24  # FPCR.FZ
    else:
        environment[7] |= 0x8040  # MXCSR.FTZ and .DAZ
    libm.fesetenv(environment)
    try:
        yield
    finally:
        libm.fesetenv(saved)


@every_target
@pytest.mark.parametrize("threads", [1, 3])
def test_subnormals_survive_when_the_processor_flushes_them(threads):
    n = 600
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        tiny = np.full(n * (n + 1) // 2, np.finfo(dtype).smallest_subnormal, dtype)
        tiny[::3] = -tiny[::3]
        full = expanded(tiny, ORDERS["shrink"], "symmetric", n)
        rows = np.ascontiguousarray(full[np.tril_indices(n)])
        with subnormals_flushed():
            flushed = float(np.float64(5e-324) * 1.0) == 0.0 and not np.any(np.add(tiny[:8], tiny[:8]))
            straight = vech.expand(tiny, kind="symmetric", threads=threads)
            scattered = _expand(tiny, ORDERS["shrink"], "symmetric", None, threads, route="scatter")
            packed = vech.pack(full, kind="symmetric", threads=threads)
            mirrored = vech.expand(tiny, kind="skew", threads=threads)
            converted = vech.convert(tiny, "vech", "numpy-tril", kind="symmetric", threads=threads)
        assert flushed, "flush-to-zero did not take effect"
        assert_same_bits(straight, full)
        assert_same_bits(scattered, full)
        assert_same_bits(packed, tiny)
        assert_same_bits(converted, rows)
        assert np.count_nonzero(cases.words(mirrored)[0, 1:]) == n - 1


@every_target
@cases.each("dtype", DTYPES.values(), ids=DTYPES)
@cases.each(
    "layout", [PLAIN[name] for name in ("lower-columns-stored", "upper-columns-stored")], ids=["vech", "U"]
)
def test_extreme_values_survive_every_move(dtype, layout):
    """NaN payloads, infinities, -0.0, subnormals, the largest and the smallest number, NaT."""
    half = np.resize(cases.specials(dtype) if dtype.kind != "b" else np.array([True, False]), 65 * 66 // 2)
    full = vech.expand(half, layout, kind="symmetric")
    assert_same_bits(full, reference.expand(half, layout))
    assert_same_bits(vech.pack(full, layout, kind="symmetric"), half)
    there = vech.convert(half, layout, "numpy-tril", kind="symmetric")
    assert_same_bits(vech.convert(there, "numpy-tril", layout, kind="symmetric"), half)


# ---- sizes -------------------------------------------------------------------------------------------------


def available_memory():
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


@linux
@pytest.mark.slow
def test_an_expansion_past_2_to_the_31_elements():
    n = 46_400
    if available_memory() < 5e9:
        pytest.skip("needs 5 GB of free memory")
    layout = ORDERS["shrink"]
    half = np.empty(layout.length(n), np.uint8)
    pattern = np.frombuffer(np.random.default_rng(0).bytes(1_000_003), np.uint8)
    for start in range(0, len(half), len(pattern)):
        half[start : start + len(pattern)] = pattern[: len(half) - start]
    full = vech.expand(half, threads=2)
    assert full.shape == (n, n) and full.size > 2**31
    start = 0
    for i in range(n):  # run i of the half is row i of the upper triangle
        assert np.array_equal(full[i, i:], half[start : start + n - i]), f"row {i}"
        start += n - i
    for top in range(0, n, 800):  # and the lower triangle mirrors the upper one
        for left in range(0, top + 1, 800):
            block, mirrored = (
                full[top : top + 800, left : left + 800],
                full[left : left + 800, top : top + 800],
            )
            assert np.array_equal(block, mirrored.T), f"block {top}, {left}"


FAR_ROWS = (0, 1, 46_340, 46_341, 46_349, 46_350, 46_351, 65_535, 65_536, 92_698, 92_699)


@pytest.fixture
def far_apart(layout):
    """A half of single numbers in gigabytes of address space, and where they are: one for all targets."""
    n = 92_700
    half = cases.untouched(layout.length(n))
    cells = itertools.product(FAR_ROWS, (2, 46_342, 65_537, n - 3))
    placed = {cell: k for k, cell in enumerate(cells, start=1)}
    for (i, j), number in placed.items():
        half[reference.formula(layout, i, j, n)] = number
    return half, placed


@linux
@every_target
@pytest.mark.parametrize(
    "layout", [*(PLAIN[name] for name in PLAIN if "one" not in name), *PIECES.values()], ids=str
)
def test_the_core_and_the_layout_agree_on_large_n(layout, far_apart):
    """Positions are written twice, in Python and in C++."""
    half, placed = far_apart
    store = vech.Packed(half, layout)
    for i in FAR_ROWS:
        row = store.expand(slice(i, i + 1))[0]
        found = {(i, int(j)): int(row[j]) for j in np.flatnonzero(row)}
        assert found == {cell: number for cell, number in placed.items() if cell[0] == i}


def too_large():
    """A side whose expansion of 1-byte numbers is several times the machine's memory."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int((4 * physical) ** 0.5)


@linux
def test_an_expansion_beyond_memory_is_refused_before_it_is_allocated():
    n = too_large()
    half = cases.untouched(n * (n + 1) // 2)
    start = time.process_time()
    with pytest.raises(MemoryError, match=rf"(?s){n}|{n * n}") as caught:
        vech.expand(half)
    assert time.process_time() - start < 2
    for way_out in ("to_csr", "rows=", "out="):
        assert way_out in str(caught.value)


@linux
def test_rows_of_a_matrix_beyond_memory_can_be_had():
    n = too_large()
    store = vech.Packed(cases.untouched(n * (n + 1) // 2))
    assert store.expand(rows=slice(n // 2, n // 2 + 3)).shape == (3, n)
    with pytest.raises(MemoryError, match="to_csr"):
        store.expand()
    with pytest.raises(MemoryError, match="to_csr"):
        np.asarray(store)


def run_python(program, *arguments, **more):
    program = textwrap.dedent(program)
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


PEAK = """
    import re, sys
    import numpy as np
    import vech

    def peak():  # not ru_maxrss, which begins with that of the process that has started this one
        return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

    n = 6000
    length = n * (n + 1) // 2
"""


@linux
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("source", "target"), [("vech", "numpy-tril"), ("lapack-upper", "numpy-triu"), ("svec-lower", "vech")]
)
def test_convert_needs_no_memory_beyond_both_halves(source, target, threads):
    program = (
        PEAK
        + """
    source, target, threads = sys.argv[1:]
    half = np.ones(length)
    vech.convert(np.ones(10), source, target)
    before = peak()
    out = vech.convert(half, source, target, threads=int(threads))
    print(peak() - before - out.nbytes)
    """
    )
    beyond = int(run_python(program, source, target, str(threads)))
    assert beyond < 16e6, f"{beyond} bytes; an n x n matrix has {6000 * 6000 * 8}"


@linux
@pytest.mark.parametrize("use", ["both", "lower"])
def test_pack_needs_no_memory_beyond_the_half(use):
    program = (
        PEAK
        + """
    full = np.ones((n, n))
    vech.pack(full[:4, :4])
    before = peak()
    out = vech.pack(full, use=sys.argv[1])
    print(peak() - before - out.nbytes)
    """
    )
    beyond = int(run_python(program, use))
    assert beyond < 16e6, f"{beyond} bytes; the full matrix has {6000 * 6000 * 8}"


@linux
@pytest.mark.parametrize("what", ["out", "fresh", "batch"])
def test_expand_needs_no_memory_beyond_its_result(what):
    program = (
        PEAK
        + """
    half = np.ones(length)
    out = np.ones((n, n)) if sys.argv[1] == "out" else None
    if sys.argv[1] == "batch":
        half = np.ones((500_000, 21))
    vech.expand(np.ones(10))
    before = peak()
    full = vech.expand(half, out=out)
    print(peak() - before - (0 if full is out else full.nbytes))
    """
    )
    beyond = int(run_python(program, what))
    assert beyond < 16e6, f"{beyond} bytes"


# ---- interrupts --------------------------------------------------------------------------------------------

LONG_CALLS = """
    import signal, sys, time
    import numpy as np
    import vech

    what, threads = sys.argv[1], 1
    if what == "expand":
        n = 40_000
        half, out = np.ones(n * (n + 1) // 2, np.uint8), np.ones((n, n), np.uint8)
        call = lambda: vech.expand(half, out=out, threads=threads)
    elif what == "pack":
        full, out = np.broadcast_to(np.uint8(1), (15_000, 15_000)), np.ones(15_000 * 15_001 // 2, np.uint8)
        call = lambda: vech.pack(full, out=out, threads=threads)
    elif what == "convert":
        half = np.ones(vech.Layout().length(45_000), np.uint8)
        out = half.copy()
        call = lambda: vech.convert(half, "vech", "numpy-tril", out=out, threads=threads)
    elif what == "batch":
        half, out = np.zeros((50_000_000, 6), np.uint8), np.ones((50_000_000, 3, 3), np.uint8)
        call = lambda: vech.expand(half, out=out, threads=threads)
"""
enough_memory = pytest.mark.skipif(
    sys.platform != "linux" or available_memory() < 4e9, reason="needs Linux and 4 GB of free memory"
)


@enough_memory
@pytest.mark.slow
@pytest.mark.parametrize("what", ["expand", "pack", "convert", "batch"])
def test_an_interrupt_stops_a_kernel_within_a_fraction_of_a_second(what):
    """By processor time, which a busy machine does not stretch, and in memory that is there; then Ctrl-C."""
    program = (
        LONG_CALLS
        + """
    def spent(interrupt_after):
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, interrupt_after)
        try:
            call()
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return time.process_time() - start

    signal.signal(signal.SIGPROF, signal.default_int_handler)
    call()
    for threads in (1, 2):
        whole = spent(0)  # not interrupted
        print(whole, min(spent(whole / 10) for _ in range(3)), flush=True)
    threads = 1
    print("ready", flush=True)
    try:
        while True:
            call()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    )
    command = [sys.executable, "-c", textwrap.dedent(program), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            for threads in (1, 2):
                whole, interrupted = map(float, child.stdout.readline().split())
                assert interrupted - whole / 10 < 0.2, f"of {threads} threads"
                assert interrupted < 0.75 * whole, f"the call of {threads} threads went on to its end"
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n"
            assert child.wait(600) == 0
        finally:
            child.kill()


@enough_memory
@pytest.mark.slow
def test_an_interrupted_expansion_really_stopped():
    program = """
    import signal, time
    import numpy as np
    import vech
    n = 30_000
    half, out = np.ones(n * (n + 1) // 2, np.uint8), np.zeros((n, n), np.uint8)
    signal.signal(signal.SIGPROF, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_PROF, 0.02)
    try:
        vech.expand(half, out=out, threads=1)
    except KeyboardInterrupt:
        print("interrupted", int(np.count_nonzero(out[::1000])) < 30 * n)
    """
    assert run_python(program).split() == ["interrupted", "True"]


@posix
def test_a_handler_that_raises_something_else_is_heard():
    class AlarmError(Exception):
        pass

    def ring(signum, frame):
        raise AlarmError

    half, out = np.zeros((3_000_000, 6)), np.empty((3_000_000, 3, 3))
    saved = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(AlarmError):
            for _ in range(200):
                signal.setitimer(signal.ITIMER_REAL, 0.005)
                vech.expand(half, out=out, threads=1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, saved)
