"""A store of tiles: its promise over kinds and dtypes, its tiles, what others read of it, how it grows."""

import copy
import itertools
import pickle
import re
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse
import zarr

import cases
import vech
from compare import assert_close, assert_same_bits
from vech import _core, tiled
from vech.io import FileFormatError
from vech.layouts.kind import Kind

N, TILE = 23, 5
RNG = np.random.default_rng(15)
EVERY = [
    (np.dtype(dtype), kind)
    for dtype in ("f8", "f4", "c16", "c8", "i4", "i1", "u2", "?", "f2")
    for kind in cases.STORE_KINDS
    if cases.allows(np.dtype(dtype), kind)
]
every_kind = pytest.mark.parametrize(("dtype", "kind"), EVERY, ids=str)


def made(path, full, kind="symmetric", tile=TILE, **said):
    store = tiled.create(path, len(full), dtype=full.dtype, kind=kind, tile=tile, **said)
    return store.fill(lambda rows, columns: full[rows, columns])


def assert_product(got, want, full, x):
    wide = np.complex128
    assert_close(got, want, N, np.matmul(np.abs(full.astype(wide)), np.abs(np.asarray(x).astype(wide))))


@pytest.fixture
def full():
    return cases.matrix(np.float64, "symmetric", N)


@pytest.fixture
def store(full, tmp_path):
    return made(tmp_path / "S.zarr", full)


# ---------------------------------------------------------------- the promise


@every_kind
def test_it_is_the_matrix(dtype, kind, tmp_path):
    full = cases.matrix(dtype, kind, N)
    S = made(tmp_path / "S.zarr", full, kind)
    assert (S.n, S.dtype, S.kind) == (N, dtype, vech.Packed(vech.pack(full, kind=kind), kind=kind).kind)
    assert_same_bits(S.expand(), full)
    assert_same_bits(S.expand(slice(3, 17)), full[3:17])
    assert_same_bits(S.expand(range(7, 7)), full[7:7])
    taken = [1, -1, 7, 7, 22]
    assert_same_bits(S.block(taken, slice(None, None, -3)), full[taken][:, ::-3])
    assert_same_bits(S.diagonal(), full.diagonal())
    assert_same_bits(S.T.expand(), full.T)
    np.testing.assert_array_equal(S.H.expand(), full.conj().T, strict=True)
    assert_same_bits(S.T.block(taken, 4), full.T[np.ix_(taken, [4])])
    for layout in ("vech", "numpy-tril", "lapack-upper"):
        assert_same_bits(S.to_packed(layout).half, vech.pack(full, layout, kind=kind))
    assert_same_bits(pickle.loads(pickle.dumps(S.T)).expand(), full.T)
    assert_same_bits(copy.copy(S).expand(), full)


@every_kind
@pytest.mark.parametrize("part", ["full", "lower", "upper"])
def test_its_nonzeros(dtype, kind, part, tmp_path):
    if dtype.itemsize == 2 and dtype.kind == "f":
        return  # SciPy's sparse arrays do not compute with float16
    full = cases.matrix(dtype, kind, N)
    full[9:14] = full[:, 9:14] = 0
    S = made(tmp_path / "S.zarr", full, kind)
    want = {"full": np.asarray, "lower": np.tril, "upper": np.triu}[part](full)
    for found in (S.to_coo(part=part), S.to_csr(part=part), S.to_csc(part=part)):
        assert found.nnz == np.count_nonzero(want)
        assert_same_bits(found.toarray(), want + np.zeros((), dtype))


@every_kind
def test_products(dtype, kind, tmp_path):
    full = cases.moderate(dtype, (N, N))
    rule = vech.layouts.kind.Kind(kind)
    full = np.where(np.tri(N, dtype=bool), full, rule.mirror(full.T))
    np.fill_diagonal(full, rule.of(dtype).settled(full.diagonal()))
    S = made(tmp_path / "S.zarr", full, kind)
    assert S.grid == 5
    shapes = (N,), (N, 1), (N, 3), (2, N, 3), (N, 0)
    for other, shape in itertools.product({dtype, np.dtype("f8"), np.dtype("c16")}, shapes):
        x = cases.moderate(other, shape)
        for ours, theirs in ((S, full), (S.T, full.T), (S.H, full.conj().T)):
            want = np.matmul(theirs, x)
            got = ours @ x
            assert_product(got, want, theirs, x)
            assert_same_bits(ours.matmul(x, threads=2), got)
            out = np.empty_like(got)
            assert ours.matmul(x, out) is out
            assert_same_bits(out, got)


def test_a_product_is_the_same_for_any_workers(tmp_path):
    full = cases.matrix(np.float64, "symmetric", 90)
    S, x = made(tmp_path / "S.zarr", full, tile=4), RNG.normal(size=(90, 2))
    assert S.grid > 16  # so that rows of tiles are more than one task
    here = S @ x
    assert_product(here, full @ x, full, x)
    with ThreadPoolExecutor(3) as pool:
        assert_same_bits(S.matmul(x, executor=pool), here)
        assert_same_bits(S.using(pool) @ x, here)
        assert_same_bits(x.T @ S.using(pool), here.T)
    with pytest.raises(TypeError, match=r"executor must be None, a concurrent.futures.Executor or a dis"):
        S.using(3)


def test_the_diagonal_counts_as_its_kind_says(tmp_path):
    full = cases.matrix(np.complex128, "hermitian", N)
    np.fill_diagonal(full, 1 + 7j)
    with pytest.raises(ValueError, match=r"block is not 'hermitian': it has \(1\+7j\) at \[0, 0\]"):
        made(tmp_path / "S.zarr", full, "hermitian")
    S = tiled.write(
        tmp_path / "S.zarr",
        vech.Packed(vech.pack(full, use="lower", kind="hermitian"), kind="hermitian"),
        tile=TILE,
    )
    assert_same_bits(S.diagonal(), full.diagonal())  # a move keeps all bits
    np.fill_diagonal(full, 1)
    assert_product(S @ np.ones(N), full @ np.ones(N), full, np.ones(N))


@pytest.mark.parametrize("n", [0, 1, 2, TILE, TILE + 1])
def test_small_ones(n, tmp_path):
    full = cases.matrix(np.float64, "symmetric", n)
    S = made(tmp_path / "S.zarr", full)
    assert (S.n, S.grid, S.missing(), S.verify()) == (n, -(-n // TILE), [], [])
    assert_same_bits(S.expand(), full)
    assert_same_bits(S.diagonal(), full.diagonal())
    assert_same_bits(S.to_packed().half, vech.pack(full) if n else np.empty(0))
    assert_product(S @ np.ones(n), full @ np.ones(n), full, np.ones(n))
    assert S.to_csr().nnz == np.count_nonzero(full)


def test_labels_are_kept(tmp_path, full):
    labels = [("fam", k) for k in range(N)]
    S = made(tmp_path / "S.zarr", full, labels=labels)
    assert S.labels == tiled.open(S.path).labels == S.to_packed().labels == tuple(labels)
    assert S.loc["fam", 3].tolist() == full[3].tolist()
    other = S.with_labels(range(N))
    assert other.labels == tuple(range(N)) and tiled.open(S.path).labels == tuple(labels)
    with pytest.raises(ValueError, match="there are 2 labels for 3 rows"):
        tiled.create(tmp_path / "T.zarr", 3, labels="ab")


def test_what_does_not_fit_is_refused(store):
    for call, error, message in (
        (lambda: store @ np.ones(3), ValueError, r"x has shape \(3,\), but S @ x needs 23 rows"),
        (lambda: store @ np.array(2.0), ValueError, r"x has shape \(\), but S @ x needs 23 rows"),
        (lambda: store.matmul(np.ones(N), np.ones(3)), ValueError, r"out has shape \(3,\)"),
        (lambda: store.expand(slice(0, 9, 2)), ValueError, "rows must be consecutive"),
        (lambda: store.expand(out=np.ones(3)), ValueError, r"out has shape \(3,\)"),
        (lambda: store.block(99, 0), IndexError, "index 99 is out of bounds for axis 0 with size 23"),
        (lambda: store.block(0, 0, threads=0), ValueError, "threads must be at least 1"),
        (lambda: store.read_tile(0, 1), IndexError, r"tile \(0, 1\) is none of the 15 lower tiles"),
        (lambda: store.read_tile(5, 0), IndexError, r"tile \(5, 0\) is none of the 15 lower tiles"),
        (lambda: store.to_coo(part="diagonal"), ValueError, "part"),
    ):
        with pytest.raises(error, match=message):
            call()


# ---------------------------------------------------------------- tiles


def test_tiles_are_filled_read_and_missed(tmp_path, full):
    S = tiled.create(tmp_path / "S.zarr", N, tile=TILE)
    assert len(S.missing()) == 15 and S.missing()[:3] == [(0, 0), (1, 0), (1, 1)]
    S.write_tile(4, 1, full[20:, 5:10])
    assert (4, 1) not in S.missing() and len(S.missing()) == 14
    assert_same_bits(S.read_tile(4, 1), full[20:, 5:10])
    assert not S.read_tile(4, 1).flags.writeable
    with pytest.raises(FileNotFoundError, match=r"tile \(0, 0\) is not done: missing\(\) lists all"):
        S.expand()
    told, asked = [], []

    def function(rows, columns):
        asked.append((rows.start, columns.start))
        return full[rows, columns]

    S.fill(function, progress=lambda *done: told.append(done))
    assert told == [(k, 15) for k in range(2, 16)]
    assert len(asked) == 14 and (20, 5) not in asked
    assert_same_bits(S.expand(), full)
    assert S.nbytes == 15 * (TILE**2 * 8 + 4)


def test_threads_and_executors_fill(tmp_path, full):
    for name, how in (("a", {"threads": 2}), ("b", {"executor": ThreadPoolExecutor(2)})):
        S = tiled.create(tmp_path / f"{name}.zarr", N, tile=TILE)
        assert_same_bits(S.fill(lambda rows, columns: full[rows, columns], **how).expand(), full)


def test_what_a_function_raises_comes_out_with_its_place(tmp_path):
    S = tiled.create(tmp_path / "S.zarr", N, tile=TILE)
    with pytest.raises(ZeroDivisionError) as caught:
        S.fill(lambda rows, columns: 1 // columns.start if rows.start else np.zeros((5, 5)))
    assert caught.value.__notes__ == ["in function(5:10, 0:5)"]
    assert len(S.missing()) == 14


def test_tiles_that_do_not_fit_are_refused(tmp_path, full):
    S = tiled.create(tmp_path / "S.zarr", N, tile=TILE)
    with pytest.raises(ValueError, match=r"tile \(1, 0\) has shape \(5, 5\), not \(5, 4\)"):
        S.write_tile(1, 0, full[5:10, :4])
    with pytest.raises(TypeError, match=r"tile \(1, 0\) is of float32, and the store of float64: astype"):
        S.write_tile(1, 0, full[5:10, :5].astype("f4"))
    with pytest.raises(
        ValueError, match=r"block is not 'symmetric': it has .* at \[5, 6\] and .* at \[6, 5\]"
    ):
        S.write_tile(1, 1, full[5:10, :5])
    with pytest.raises(ValueError, match=r'is open for reading: vech.tiled.open\(path, "r\+"\) for writing'):
        tiled.open(S.path).write_tile(1, 1, full[5:10, 5:10])
    with pytest.raises(IndexError, match=r"tile \(0, 1\) is none of the 15"):
        S.write_tile(0, 1, full[:5, 5:10])
    assert len(S.missing()) == 15


def test_rounding_between_triangles_leaves_the_lower_one(tmp_path, full):
    S = tiled.create(tmp_path / "S.zarr", N, tile=N)
    rounded = full * (1 + np.triu(np.full((N, N), 2.0**-50), 1))
    S.write_tile(0, 0, rounded)
    assert_same_bits(S.expand(), full)


@pytest.mark.parametrize("kind", ["symmetric", "skew", "hermitian"])
def test_triangles_of_a_large_square_are_held_against_each_other(tmp_path, kind):
    """In parts of 128 rows: a difference counts in each of them, also the last, and none is beyond them."""
    n = 300
    dtype = complex if kind == "hermitian" else float
    lower = np.tril(np.random.default_rng(0).standard_normal((n, n)) + (1j if kind == "hermitian" else 0), -1)
    S = tiled.create(tmp_path / "S.zarr", n, tile=n, dtype=dtype, kind=kind)
    square = lower + Kind(kind).mirror(lower).T
    S.write_tile(0, 0, square)
    assert_same_bits(S.read_tile(0, 0), square)
    for i, j in ((0, 299), (127, 128), (255, 299), (298, 299), (3, 140)):
        near, far = square.copy(), square.copy()
        near[i, j] *= 1 + 2e-16 * 4
        far[i, j] += 1
        assert near[i, j] != square[i, j]
        S.write_tile(0, 0, near)
        assert_same_bits(S.read_tile(0, 0), square)
        with pytest.raises(ValueError, match=rf"is not .*: it has .* at \[{i}, {j}\]"):
            S.write_tile(0, 0, far)


@pytest.mark.parametrize("kind", ["symmetric", "skew", "hermitian"])
def test_zeros_of_a_square_have_the_signs_that_its_lower_triangle_says(tmp_path, kind):
    n = 260
    dtype = complex if kind == "hermitian" else float
    square = np.zeros((n, n), dtype)
    square[np.tril_indices(n, -1)] = np.where(
        np.random.default_rng(0).random(n * (n - 1) // 2) < 0.5, 0.0, -0.0
    )
    S = tiled.create(tmp_path / "S.zarr", n, tile=n, dtype=dtype, kind=kind)
    S.write_tile(0, 0, square)
    assert_same_bits(S.expand(), S.to_packed().expand())


@pytest.mark.parametrize(("kind", "wrong", "right"), [("skew", 5e-9, 0), ("hermitian", 2 + 1e-12j, 2)])
def test_of_a_diagonal_what_products_take_is_kept(tmp_path, kind, wrong, right):
    full = np.array([[wrong, 1], [-1 if kind == "skew" else 1, wrong]])
    K = tiled.create(tmp_path / "K.zarr", 2, kind=kind, dtype=full.dtype)
    K.write_tile(0, 0, full)
    assert (K.diagonal() == right).all()
    assert_same_bits(K.expand() @ np.ones(2), K @ np.ones(2))
    K.append(np.hstack([np.zeros_like(full), full]))
    assert (K.diagonal() == right).all() and K.n == 4


@pytest.mark.every_target
def test_checksums_are_those_of_castagnoli():
    """RFC 3720, appendix B.4; and of every length around what is summed at once those of google-crc32c."""
    import google_crc32c

    def found(text):
        checksum = _core.crc32c(np.frombuffer(text, np.uint8))
        return google_crc32c.value(text) if checksum is None else checksum  # a target that has none

    assert found(b"123456789") == 0xE3069283
    assert found(bytes(32)) == 0x8A9136AA and found(b"\xff" * 32) == 0x62A8AB43 and found(b"") == 0
    text = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    for length in (*range(1, 24), *range(500, 800), 1023, 1024, 1025, 4096, 4999):
        for start in (0, 1):
            some = text[start : start + length]
            assert found(some) == google_crc32c.value(some), (start, length)


def test_tiles_of_files_are_mapped(store):
    assert np.shares_memory(store.read_tile(3, 1), store.read_tile(3, 1))


def test_a_tile_that_changed_is_read_anew(store, full):
    other = tiled.open(store.path, "r+")
    before = store.read_tile(3, 1).copy()
    other.write_tile(3, 1, full[15:20, 5:10] * 2)
    assert_same_bits(store.read_tile(3, 1), before * 2)


# ---------------------------------------------------------------- the files


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("dtype", ["f8", "i2", "?", "c8", "f2"])
def test_zarr_reads_the_lower_triangle(tmp_path, dtype, compression):
    full = cases.matrix(np.dtype(dtype), "symmetric", N)
    S = made(tmp_path / "S.zarr", full, compression=compression)
    assert S.compression == compression
    array = zarr.open_array(S.path, path="data", mode="r")
    held = array[...]
    at = np.tril_indices(N)
    assert (array.shape, array.chunks, array.dtype) == ((N, N), (TILE, TILE), full.dtype)
    assert_same_bits(held[at], full[at])
    filler = held[0, -1]
    assert np.isnan(filler) if full.dtype.kind in "fc" else filler == 0
    assert len(list((tmp_path / "S.zarr/data/c").rglob("[0-9]*/[0-9]*"))) == S.grid * (S.grid + 1) // 2


def test_zarr_may_write_a_tile(store, full):
    array = zarr.open_array(store.path, path="data", mode="r+")
    array[15:20, 5:10] = 7
    assert_same_bits(store.read_tile(3, 1), np.full((5, 5), 7.0))
    assert store.verify() == []


def test_integers_and_sparse_content_are_compressed(tmp_path):
    numbers = np.zeros((300, 300), np.int64)
    S = made(tmp_path / "i.zarr", numbers, tile=100)
    assert S.compression == "zstd" and S.nbytes < numbers.nbytes / 50
    half = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(numbers.astype(float)))
    written = tiled.write(tmp_path / "s.zarr", half)
    assert written.compression == "zstd" and not written.expand().any()
    assert tiled.create(tmp_path / "f.zarr", 3).compression == "none"


@pytest.mark.parametrize("make", cases.STORES.values(), ids=cases.STORES)
def test_every_store_is_written_and_read(make, tmp_path):
    full = cases.matrix(np.float64, "symmetric", N)
    path = tmp_path / "S.zarr"
    vech.write(path, make(full, "symmetric"), tile=TILE)
    found = vech.read(path, verify=True)
    assert isinstance(found, vech.Tiled) and found.mode == "r" and found.tile == TILE
    assert_same_bits(found.expand(), full)
    vech.write(path, found)  # over itself
    assert_same_bits(vech.read(path).expand(), full)
    with pytest.raises(FileExistsError, match="exists: choose another name, or overwrite=True"):
        vech.write(path, found, overwrite=False)


def test_nothing_else_is_ever_overwritten(tmp_path):
    (tmp_path / "S.zarr").mkdir()
    (tmp_path / "S.zarr" / "mine").touch()
    for call in (
        lambda: tiled.create(tmp_path / "S.zarr", 3, overwrite=True),
        lambda: vech.write(tmp_path / "S.zarr", vech.Packed(np.ones(3))),
    ):
        with pytest.raises(
            FileExistsError, match="exists and is no store of tiles, so it is not overwritten"
        ):
            call()
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        tiled.create(tmp_path / "S.zarr", 3)
    with pytest.raises(FileNotFoundError, match="no such directory"):
        tiled.create(tmp_path / "nowhere" / "S.zarr", 3)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["S.zarr", "mine"]


def test_other_arguments_are_refused(tmp_path):
    for said, error, message in (
        ({"tile": 0}, ValueError, "tile must be at least 1 row, not 0"),
        ({"tile": 2.5}, TypeError, "tile"),
        ({"dtype": "M8[s]"}, TypeError, r"holds numbers that Zarr knows, not datetime64\[s\]"),
        ({"dtype": "S3"}, TypeError, "holds text|Zarr knows"),
        ({"kind": "foo"}, ValueError, "choose from symmetric, hermitian, skew, skew-hermitian$"),
        ({"kind": "triangular"}, ValueError, "no store holds a triangular matrix"),
        ({"dtype": "c16", "kind": None}, ValueError, "complex numbers mirror in more than one way"),
        ({"compression": "gzip"}, ValueError, "compression"),
        ({"made": 3}, TypeError, "^made must be a mapping whose keys are text, as in JSON, not 3$"),
        ({"made": {3: 1}}, TypeError, r"^made must be a mapping whose keys are text, as in JSON, not \{3: 1"),
        (
            {"made": {"x": {1j}}},
            TypeError,
            "^made must be what JSON holds, .*: .*set is not JSON serializable",
        ),
    ):
        with pytest.raises(error, match=message):
            tiled.create(tmp_path / "S.zarr", 3, **said)
    with pytest.raises(ValueError, match="mode"):
        tiled.open(tmp_path / "S.zarr", "w")
    with pytest.raises(FileNotFoundError, match="no such store of tiles: "):
        tiled.open(tmp_path / "S.zarr")
    for path in (b"S.zarr", 3, None):
        for call in (
            lambda p: tiled.create(p, 3),
            tiled.open,
            lambda p: tiled.write(p, vech.Packed(np.ones(3))),
        ):
            message = f"path must be a path, or a URL as text, not {type(path).__name__} {path!r}"
            with pytest.raises(TypeError, match=f"^{message}$"):
                call(path)
    with pytest.raises(
        ValueError, match=r"q::S.zarr: '::' is between a file and what is inside it, .*without it"
    ):
        tiled.create(tmp_path / "q::S.zarr", 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("i", [True, np.True_, 1.0, "1", None])
def test_only_integers_are_tiles(store, full, i):
    before = store.read_tile(1, 0).copy()
    for call in (store.read_tile, lambda *tile: store.write_tile(*tile, np.zeros((TILE, TILE)))):
        for tile, name in (((i, 0), "i"), ((2, i), "j")):
            with pytest.raises(TypeError, match=f"^{name} must be an integer, not {re.escape(repr(i))}$"):
                call(*tile)
    np.testing.assert_array_equal(store.read_tile(np.int64(1), np.uint8(0)), before)


def test_what_is_in_the_memory_of_one_process_is_not_in_that_of_another(full):
    S = tiled.create("memory://one-process.zarr", N, tile=TILE, overwrite=True)
    S.fill(lambda rows, columns: full[rows, columns])
    message = (
        "no such store of tiles in the memory of this process, .*: for workers that are processes take a"
    )
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(FileNotFoundError, match=message),
    ):
        S.matmul(np.ones(N), executor=pool)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_flipped_bit_is_found_and_never_returned(tmp_path, full, compression):
    S = made(tmp_path / "S.zarr", full, compression=compression)
    file = tmp_path / "S.zarr/data/c/2/1"
    letters = file.read_bytes()
    S.expand()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(letters), 25):
        damaged = bytearray(letters)
        damaged[at] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        for store in (S, tiled.open(S.path)):
            with pytest.raises(
                FileFormatError, match=r"S.zarr: tile \(2, 1\) is damaged|holds .* bytes when"
            ):
                store.expand()
            with pytest.raises(FileFormatError):
                store @ np.ones(N)
        assert S.verify() == [(2, 1)]
    for cut in (b"", letters[:3], letters[:-1], letters + b"x"):
        file.write_bytes(cut)
        with pytest.raises(FileFormatError, match=r"tile \(2, 1\)"):
            S.read_tile(2, 1)
        assert S.verify() == [(2, 1)]
    assert S.repair(lambda rows, columns: full[rows, columns]) == [(2, 1)]
    assert S.verify() == [] and file.read_bytes() == letters
    assert_same_bits(S.expand(), full)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"version": 1', '"version": 2'), "is of version 2, and vech reads 1"),
        (('"n": 23', '"n": -1'), "has n = -1"),
        (('"n": 23', '"n": 1e3'), "has n = 1000.0"),
        (('"n": 23', '"n": 99999999999999999999'), "has n = 9999"),
        (('"n": 23', '"n": 1000000'), "has tiles of 5 rows for n = 1000000, and 65536 tiles a side at most"),
        (('"n": 23', '"n": 24'), "has an array /data that is not the 24 x 24 numbers in tiles of 5"),
        (('"tile": 5', '"tile": 0'), "has tile = 0"),
        (('"tile": 5', '"tile": 6'), "has an array /data that is not the 23 x 23 numbers in tiles of 6"),
        (('"kind": "symmetric"', '"kind": "triangular"'), "which do not fit"),
        (('"kind": "symmetric"', '"kind": 3'), "which vech does not know"),
        (('"triangle": "lower"', '"triangle": "upper"'), "which vech does not know"),
        (('"attributes": {', '"attributes": {"labels": ["a"], '), "has 1 labels for 23 rows"),
        (('"attributes": {', '"attributes": {"labels": "ab", '), "has labels that are no list"),
        (('"vech": {', '"vech": {"made": 3, '), "says what it is made of by no object"),
    ],
)
def test_a_description_that_lies_is_refused(store, tmp_path, change, message):
    file = tmp_path / "S.zarr/zarr.json"
    text = " ".join(file.read_text().split())
    assert change[0] in text
    file.write_text(text.replace(*change))
    with pytest.raises(FileFormatError, match=re.escape(message)):
        tiled.open(store.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("crc32c", "gzip"), "has codecs ['bytes', 'gzip'], and vech reads bytes in little order"),
        (('"little"', '"big"'), "has codecs ['bytes', 'crc32c'], and vech reads bytes in little order"),
        (("float64", "float128"), "holds numbers of 'float128', which vech does not know"),
        (('"default"', '"v2"'), "has an array /data that is not"),
        (('"regular"', '"rectilinear"'), "has an array /data that is not"),
        (("[", "{"), "Expecting property name enclosed in double quotes"),
        (('"codecs": [', '"codecs": [], "others": ['), "is no store of tiles that vech reads: IndexError"),
        (('"codecs"', '"others"'), "is no store of tiles that vech reads: KeyError('codecs')"),
    ],
)
def test_an_array_of_other_chunks_is_refused(store, tmp_path, change, message):
    file = tmp_path / "S.zarr/data/zarr.json"
    text = " ".join(file.read_text().split())
    assert change[0] in text
    file.write_text(text.replace(*change))
    with pytest.raises(FileFormatError, match=re.escape(message)):
        tiled.open(store.path)


def test_a_frame_that_says_it_is_larger_asks_for_no_memory(tmp_path):
    S = made(tmp_path / "S.zarr", np.zeros((N, N), np.int64))
    from numcodecs.zstd import Zstd

    from vech.tiled.encoding import _crc

    for body in (np.frombuffer(Zstd().encode(bytes(1 << 20)), np.uint8), np.zeros(9, np.uint8)):
        (tmp_path / "S.zarr/data/c/2/1").write_bytes(body.tobytes() + _crc(body))
        with pytest.raises(
            FileFormatError, match=r"tile \(2, 1\) holds .* bytes when unpacked, and 200 would"
        ):
            S.read_tile(2, 1)


# ---------------------------------------------------------------- growing


@pytest.mark.parametrize("kind", ["symmetric", "hermitian", "skew"])
@pytest.mark.parametrize("old", [0, 1, TILE - 1, TILE, TILE + 1, 2 * TILE])
@pytest.mark.parametrize("more", [0, 1, TILE, 2 * TILE + 1])
def test_it_grows(tmp_path, kind, old, more):
    full = cases.matrix(np.dtype("c16" if kind == "hermitian" else "f8"), kind, old + more)
    S = made(tmp_path / "S.zarr", full[:old, :old], kind, labels=range(old))
    files = {
        path: path.stat().st_ino
        for i in range(old // TILE)
        for path in (tmp_path / f"S.zarr/data/c/{i}").iterdir()
    }
    S.append(full[old:], labels=range(old, old + more))
    for store in (S, tiled.open(S.path)):
        assert_same_bits(store.expand(), full)
        assert store.labels == tuple(range(old + more)) and store.missing() == []
    assert all(path.stat().st_ino == number for path, number in files.items())
    assert zarr.open_array(S.path, path="data", mode="r").shape == full.shape


def test_a_view_does_not_grow(tmp_path):
    full = cases.matrix(np.float64, "skew", 5)
    S = made(tmp_path / "S.zarr", full[:3, :3], "skew", tile=2)
    with pytest.raises(ValueError, match="T and H of a store are seen through it: write to the store itself"):
        S.T.append(full[3:])
    with pytest.raises(ValueError, match="n is 9, and with these rows the matrix has 5: leave n out"):
        S.append(full[3:], n=9)
    with pytest.raises(ValueError, match="the store has other labels than these: append to the store itself"):
        S.with_labels("abc").append(full[3:])
    assert_same_bits(tiled.open(S.path).expand(), full[:3, :3])


def test_the_diagonal_is_judged_too(tmp_path):
    S = tiled.create(tmp_path / "S.zarr", 3, kind="skew")
    with pytest.raises(ValueError, match=r"block is not 'skew': it has 1\.0 at \[0, 0\]"):
        S.write_tile(0, 0, np.eye(3))
    S.write_tile(0, 0, np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"rows is not 'skew': it has 7\.0 at \[3, 3\]"):
        S.append([[1.0, 2, 3, 7]])
    T = made(tmp_path / "T.zarr", np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"rows is not 'symmetric': it has 3\.0 at \[1, 2\]"):
        T.append([[1.0, 2, 3], [1, 99, 4]])


def test_a_square_that_is_another_tile_is_damaged(store, full, tmp_path):
    shutil.copy(tmp_path / "S.zarr/data/c/1/0", tmp_path / "S.zarr/data/c/1/1")
    assert store.verify() == tiled.open(store.path).verify() == [(1, 1)]


def test_who_opened_a_store_that_was_made_anew_is_told(store, full, tmp_path):
    grown = tiled.open(store.path, "r+")
    other = tiled.open(store.path, "r+")
    grown.append(cases.matrix(np.float64, "symmetric", N + 1)[N:] * 0)
    assert_same_bits(other.expand(), full)  # as it was opened
    with pytest.raises(ValueError, match="was made anew, or grew"):
        other.append(np.zeros((1, N + 1)))
    tiled.write(store.path, vech.Packed(np.ones(N * (N + 1) // 2)), tile=TILE)
    for call in (store.expand, lambda: store @ np.ones(N), lambda: store.read_tile(0, 0), store.diagonal):
        with pytest.raises(ValueError, match="was made anew, or grew, since it was opened: open it again"):
            call()


def test_what_is_beside_the_tiles_is_not_lost(store, tmp_path):
    half = vech.Packed(np.ones(3))
    vech.write(f"{store.path}::/w", half)
    with pytest.raises(FileExistsError, match="holds 'w' beside its tiles, which would be lost: move it"):
        vech.write(store.path, half)
    with pytest.raises(ValueError, match=r"is where the tiles of S\.zarr are: choose another name"):
        vech.write(f"{store.path}::/data", half)
    (tmp_path / "S.zarr/data/zarr.json").unlink()
    with pytest.raises(FileFormatError, match=r"has no data/zarr\.json, so its numbers cannot be read"):
        tiled.open(store.path)


def test_nobody_writes_into_a_store_that_was_made_anew_since(store, full):
    tiled.create(store.path, N, tile=TILE, overwrite=True)
    with pytest.raises(ValueError, match=r"S\.zarr was made anew, or grew, since it was opened: open it"):
        store.write_tile(1, 0, full[5:10, :5])
    assert len(tiled.open(store.path).missing()) == 15


def test_it_pickles_as_its_path(store, tmp_path, full):
    labelled = made(tmp_path / "L.zarr", full, labels=[f"row {k}" * 100 for k in range(N)])
    assert len(pickle.dumps(labelled)) < 1000
    assert pickle.loads(pickle.dumps(labelled)).labels == labelled.labels
    assert pickle.loads(pickle.dumps(labelled.with_labels(range(N)))).labels == tuple(range(N))
    with ThreadPoolExecutor(1) as pool:
        assert_same_bits(pickle.loads(pickle.dumps(store.using(pool))).expand(), full)
    again = pickle.loads(pickle.dumps(store))
    assert again._tiles is pickle.loads(pickle.dumps(store))._tiles  # a task opens what the last one opened
    tiled.create(store.path, 3, overwrite=True)
    with pytest.raises(ValueError, match="was made anew, or grew, since it was opened: open it again"):
        pickle.loads(pickle.dumps(store))


def test_it_grows_by_a_function(store, full, tmp_path):
    larger = cases.matrix(np.float64, "symmetric", 40)
    larger[:N, :N] = full
    asked = []

    def function(rows, columns):
        asked.append((rows, columns))
        return larger[rows, columns]

    store.append(function, n=40)
    assert_same_bits(store.expand(), larger)
    assert all(rows.start >= N and rows.stop - rows.start <= TILE for rows, _ in asked)


def test_a_reader_sees_the_old_side_until_it_opens_again(store, full):
    other = tiled.open(store.path)
    larger = cases.matrix(np.float64, "symmetric", N + 4)
    store.append(larger[N:])
    assert other.n == N
    assert_same_bits(other.expand(), full)


def test_what_cannot_grow_is_refused(store, full, tmp_path):
    rows = cases.matrix(np.float64, "symmetric", N + 2)[N:]
    for call, error, message in (
        (lambda: store.append(rows[:, :-1]), ValueError, r"rows has shape \(2, 24\), and k new rows have 23"),
        (lambda: store.append(rows.astype("f4")), TypeError, "is of float32, and the store of float64"),
        (lambda: store.append(rows, labels="ab"), ValueError, "the store has no labels: leave labels= out"),
        (lambda: store.append(lambda *_: rows), ValueError, "rows is a function: say n="),
        (lambda: store.append(lambda *_: rows, n=3), ValueError, "the matrix has 23 rows, and n is 3"),
        (lambda: store.append(np.triu(rows, N)), ValueError, "is not 'symmetric'"),
        (lambda: tiled.open(store.path).append(rows), ValueError, "is open for reading"),
    ):
        with pytest.raises(error, match=message):
            call()
        assert_same_bits(tiled.open(store.path).expand(), full)
    labelled = made(tmp_path / "L.zarr", full, labels=range(N))
    with pytest.raises(ValueError, match="the store has labels: give labels= too"):
        labelled.append(rows)
    with pytest.raises(ValueError, match=r"tile \(0, 0\) is not done, nor are 14 others: fill the store"):
        tiled.create(tmp_path / "E.zarr", N, tile=TILE).append(rows)


# ---------------------------------------------------------------- by URL


@pytest.mark.parametrize("begin", ["file", "local"])
def test_a_file_url_is_a_folder(tmp_path, full, begin):
    S = made(f"{begin}://{tmp_path}/S.zarr", full)
    assert S.path == str(tmp_path / "S.zarr") and np.shares_memory(S.read_tile(1, 0), S.read_tile(1, 0))


def test_read_and_write_take_urls(full):
    vech.write("memory://tests/W.zarr", vech.Packed(vech.pack(full)), tile=TILE)
    assert_same_bits(vech.read("memory://tests/W.zarr", verify=True).expand(), full)
    with pytest.raises(ValueError, match=r"a URL is for stores of tiles: name\.zarr"):
        vech.write("memory://tests/W.npy", vech.Packed(np.ones(3)))


def test_a_store_in_memory_by_its_url(full):
    pytest.importorskip("fsspec")
    url = "memory://tests/S.zarr"
    S = made(url, full, overwrite=True, labels=range(N))
    assert S.path == url and S.missing() == [] and S.verify() == []
    found = pickle.loads(pickle.dumps(tiled.open(url)))
    assert_same_bits(found.expand(), full)
    assert_product(found @ np.ones(N), full @ np.ones(N), full, np.ones(N))
    larger = cases.matrix(np.float64, "symmetric", N + 6)
    larger[:N, :N] = full
    S.append(larger[N:], labels=range(N, N + 6))
    assert_same_bits(tiled.open(url).expand(), larger)
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        tiled.create(url, 3)
    assert_same_bits(tiled.write(url, vech.Packed(np.ones(3))).expand(), np.ones((2, 2)))
    with pytest.raises(FileNotFoundError, match="no such store of tiles"):
        tiled.open("memory://tests/none.zarr")


@pytest.mark.parametrize("seen", [lambda T: T, lambda T: T.T, lambda T: T.H])
def test_entries_are_those_of_the_full_matrix(tmp_path, seen):
    full = np.random.default_rng(0).normal(size=(7, 7)) + 1j
    full = full - full.T  # complex skew
    names = [f"r{i}" for i in range(7)]
    T = vech.tiled.create(tmp_path / "e.zarr", 7, dtype="c16", kind="skew", tile=3, labels=names)
    T = seen(T.fill(lambda rows, columns: full[rows, columns]))
    full = seen(full) if seen(T) is T else T.expand()
    mask = np.arange(7) % 2 == 0
    for key in [
        0,
        -1,
        (0, 1),
        (6, 2),
        slice(2, 5),
        (slice(1, 6, 2), 3),
        ([0, 6, 4], [5, 1, 1]),
        (..., 2),
        (mask, 1),
    ]:
        assert np.array_equal(T[key], full[key])
        assert np.shape(T[key]) == np.shape(full[key])
    assert T["r6", "r2"] == full[6, 2] and np.array_equal(T["r1"], full[1])
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 7"):
        T[7]


def test_what_a_packed_has_alone_says_how_to_get_it(tmp_path):
    T = vech.tiled.create(tmp_path / "p.zarr", 2).fill(lambda *_: np.eye(2))
    for name in ("map", "submatrix", "permute", "half"):
        with pytest.raises(
            AttributeError, match=rf"a Tiled has no {name}: to_packed\(\) makes a Packed of it"
        ):
            getattr(T, name)
    with pytest.raises(AttributeError, match="'Tiled' object has no attribute 'nothing'"):
        T.nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"S\[i, j\] is the same here"):  # as any store answers
        T.iloc  # noqa: B018
    with pytest.raises(
        TypeError, match=r"a Tiled has no -: x - S\.to_packed\(\) .*; by tiles, vech.tiled.create"
    ):
        1 - T
    Z = vech.tiled.create(tmp_path / "m.zarr", 2).fill(lambda rows, cols: 1 - T.block(rows, cols))
    assert Z[0, 1] == 1 and Z[1, 1] == 0


def test_a_store_of_a_kind_that_is_not_known_says_so(tmp_path):
    path = tmp_path / "z.zarr"
    vech.tiled.create(path, 2).fill(lambda *_: np.eye(2))
    about = path / "zarr.json"
    text = about.read_text()
    for ask in (vech.read, vech.tiled.open):
        about.write_text(text.replace('"store": "tiled"', '"store": "zz"'))
        with pytest.raises(
            FileFormatError, match=r"is a store 'zz' of kind 'symmetric', which vech does not know"
        ):
            ask(path)
        about.write_text(text.replace('"n": 2', f'"n": {"9" * 6000}'))
        with pytest.raises(FileFormatError, match="has an integer of 6,000 digits, and 4,300 at most fit"):
            ask(path)


def test_a_folder_in_the_place_of_a_tile_says_which(tmp_path):
    T = vech.tiled.create(tmp_path / "z.zarr", 4, tile=2).fill(lambda *_: np.ones((2, 2)))
    tile = tmp_path / "z.zarr" / "data" / "c" / "1" / "0"
    tile.unlink()
    tile.mkdir()
    said = r"z\.zarr: has a folder at data/c/1/0, where tile \(1, 0\) is to be: remove it, and fill\(\) it"
    with pytest.raises(FileFormatError, match=said):
        T.expand()
    tile.rmdir()
    T.fill(lambda *_: np.ones((2, 2)))
    assert T.expand().all()
