"""What vech wrote, vech reads: each kind and dtype of store, in each format that takes it, at each size."""

import numpy as np
import pytest

import cases
import vech

SIZES = (0, 1, 2, 3, 5, 100)
DTYPES = (
    "?",
    "i1",
    "u1",
    ">i4",
    "i8",
    "u8",
    "f2",
    "f4",
    "f8",
    ">f8",
    "c8",
    "c16",
    "M8[s]",
    "m8[us]",
    "bfloat16",
)
SUFFIXES = (".npy", ".npz", ".bin", ".mtx")


def refuses(suffix, store):
    """What a format does not hold, as docs/files.md says."""
    if isinstance(store, vech.SparseHalf):
        return suffix in (".npy", ".bin") or (suffix == ".mtx" and store.kind == "skew-hermitian")
    narrow = store.dtype.kind in "mMV" or store.dtype == np.float16 or store.dtype.name == "bfloat16"
    return suffix == ".mtx" and (
        store.kind == "skew-hermitian" or narrow or (store.kind == "skew" and store.n == 0)
    )


def stores(n, kind, dtype):
    """A dense one, and a sparse one where its dtype is one of SciPy's."""
    layout = vech.as_layout("vech")
    if not cases.fits(layout, dtype, kind, n):
        return
    numbers = np.arange(layout.length(n)) % 7
    if dtype.kind == "c":
        numbers = numbers * (1 + 2j)
    half = numbers.astype(dtype)
    i = np.arange(n)
    half[layout.position(i, i, n)] = np.zeros(n, dtype) if kind.startswith("skew") else np.ones(n, dtype)
    yield vech.Packed(half, kind=kind)
    if dtype.kind in "?biufc" and dtype not in (np.float16,) and dtype.name != "bfloat16":
        yield vech.SparseHalf.from_half(half, kind=kind)


def each(sizes, kind, dtype):
    return [(n, store) for n in sizes for store in stores(n, kind, dtype)]


def dtype_of(name):
    if name == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    return np.dtype(name)


@cases.each("kind", cases.STORE_KINDS)
@cases.each("name", list(DTYPES))
@cases.each("suffix", list(SUFFIXES))
def test_what_was_written_is_read(tmp_path, suffix, name, kind):
    dtype = dtype_of(name)
    for n, store in each(SIZES, kind, dtype):
        path = tmp_path / f"{n}{suffix}"
        if refuses(suffix, store):
            with pytest.raises((TypeError, ValueError)):
                vech.write(path, store)
            continue
        vech.write(path, store)
        said = {"dtype": dtype, "layout": "vech", "kind": kind} if suffix == ".bin" else {}
        got = vech.read(path, **said)
        assert (got.kind, got.n) == (store.kind, n)
        if suffix != ".mtx":
            assert got.dtype == store.dtype
        assert np.array_equal(got.expand(), store.expand())


@cases.each("kind", cases.STORE_KINDS)
@cases.each("name", ["?", "i1", "u8", "f4", ">f8", "c16"])
@cases.each("suffix", list(SUFFIXES))
def test_what_was_expanded_is_packed(tmp_path, suffix, name, kind):
    dtype = dtype_of(name)
    for n, store in each(SIZES[:5], kind, dtype):
        path = tmp_path / f"{n}{suffix}"
        if suffix == ".mtx" and refuses(suffix, store):
            continue
        vech.io.expand(path, store)
        said = {"dtype": dtype.newbyteorder("=") if isinstance(store, vech.SparseHalf) else dtype, "n": n}
        got = vech.io.pack(path, kind=kind, **said if suffix == ".bin" else {})
        assert np.array_equal(got.expand(), store.expand())
