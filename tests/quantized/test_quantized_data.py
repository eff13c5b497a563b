"""Quantized matrices made of data, tile by tile: those that quantizing the half of the same data gives."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cases
import vech
from compare import assert_same_bits
from vech import covariance, pairwise

X = cases.generator("data").normal(size=(60, 40))
LONG = cases.generator("long").normal(size=(1100, 3))


def length(rows, columns):
    return np.abs(np.subtract.outer(np.arange(9.0)[rows], np.arange(9.0)[columns]))


def streamed(*method, **options):
    stream = covariance.Stream(*method, **options)
    for rows in np.array_split(X, 3):
        stream.update(rows)
    return stream


MAKERS = {
    "distances": lambda **o: pairwise.distances(X, **o),
    "cosine distances": lambda **o: pairwise.distances(X.astype("f4"), "cosine", **o),
    "kernel": lambda **o: pairwise.kernel(X, **o),
    "gram": lambda **o: pairwise.gram(X, **o),
    "cosine": lambda **o: pairwise.cosine(X, threshold=0.1, **o),
    "cooccurrence": lambda **o: pairwise.cooccurrence(X > 0, **o),
    "from_blocks": lambda **o: pairwise.from_blocks(length, 9, dtype=float, tile=4, **o),
    "sample": lambda **o: covariance.sample(X, **o),
    "correlation": lambda **o: covariance.correlation(X, **o),
    "spearman": lambda **o: covariance.spearman(X, **o),
    "kendall": lambda **o: covariance.kendall(X, **o),
    "gerber": lambda **o: covariance.gerber(X, **o),
    "hamming": lambda **o: covariance.hamming(X > 0, **o),
    "ledoit_wolf": lambda **o: covariance.ledoit_wolf(X, **o),
    "one_bit": lambda **o: covariance.one_bit(X, **o),
    "sampled_gram": lambda **o: covariance.sampled_gram(X, 30, **o).gram,
    "denoise": lambda **o: covariance.denoise(X + X[:, :1], **o),
    "denoised correlation": lambda **o: covariance.denoise(X + X[:, :1], correlation=True, **o),
    "nonlinear": lambda **o: covariance.nonlinear(X, **o),
    "nonlinear of few rows": lambda **o: covariance.nonlinear(X[:30], **o),
    "stream": lambda **o: streamed().result(**o),
    "stream of counts": lambda **o: streamed("gerber", thresholds=0.5).result(**o),
    "blocks of rows": lambda **o: covariance.sample(iter(np.array_split(X, 3)), **o),
}


@cases.each("name", list(MAKERS))
@cases.each("encoding", ["int8", "float16"])
def test_data_become_the_codes_of_their_half(name, encoding):
    make = MAKERS[name]
    made, half = make(encoding=encoding), make()
    store, half = (
        getattr(found, "S", found) if hasattr(found, "_fields") else found for found in (made, half)
    )
    full = half.expand()
    assert isinstance(store, vech.Quantized) and store.encoding == encoding and store.labels == half.labels
    wanted = vech.quantize(full, encoding)
    step = float(np.finfo(wanted.dtype).eps * np.abs(full).max() * 100)
    assert np.abs(store.diagonal() - full.diagonal()).max() <= step
    E = np.abs(full - store.expand())
    assert E.max() <= 2 * wanted.error.max + step
    assert np.linalg.norm(E) <= store.error.frobenius + step * len(E)
    assert store.error.frobenius == pytest.approx(wanted.error.frobenius, rel=1e-3, abs=step)


@pytest.mark.parametrize("tile", [100, 300, 257])
def test_many_tiles_whatever_their_side(tile):
    def near(rows, columns):
        return np.exp(-np.abs(np.subtract.outer(LONG[rows, 0], LONG[columns, 0])))

    made = pairwise.from_blocks(near, 1100, dtype=float, tile=tile, encoding="uint8")
    wanted = vech.quantize(pairwise.from_blocks(near, 1100, dtype=float, tile=tile), "uint8")
    assert_same_bits(made.codes, wanted.codes)
    assert_same_bits(made.zeros, wanted.zeros)


def test_the_half_is_never_whole_in_memory():
    seen = []

    def numbers(rows, columns):
        seen.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return np.add.outer(LONG[rows, 0], LONG[columns, 0])

    said = []
    made = pairwise.from_blocks(
        numbers, 1100, dtype=float, encoding="int4", progress=lambda *done: said.append(done)
    )
    assert max(seen) <= 256**2 and said[-1] == (6, 6)
    assert made.nbytes < 1100 * 1101 * 8 / 2 / 9


@pytest.mark.parametrize(
    "make",
    [
        covariance.one_bit,
        lambda X, **o: covariance.sampled_gram(X, 20, **o),
        covariance.nonlinear,
    ],
    ids=["one_bit", "sampled_gram", "nonlinear"],
)
def test_no_half_of_data_is_whole_in_memory(make):
    p = 5000
    X = cases.generator("wide").normal(size=(20, p))
    make(X[:, :40], encoding="int8")  # whatever is imported on the way
    tracemalloc.start()
    try:
        make(X, encoding="int8")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * p * (p + 1) / 2, "of a pair that takes 8 bytes as a number, and 1 as a code"


def test_the_error_of_a_sampled_gram_is_that_of_its_sample_however_coarse_its_codes():
    plain, coarse = (covariance.sampled_gram(X, 30, encoding=name) for name in (None, "sign"))
    assert coarse.error == pytest.approx(plain.error, rel=1e-12) and coarse.bound == plain.bound
    assert vech.linalg.norm(coarse.gram) != pytest.approx(vech.linalg.norm(plain.gram), rel=0.01)


def test_a_sampled_gram_in_codes_is_gone_on_with(tmp_path):
    pytest.importorskip("zarr")
    made = [
        covariance.sampled_gram(X, 30, encoding="int8", out=tmp_path / "g.zarr", resume=resume)
        for resume in (False, True)
    ]
    assert made[0].error == made[1].error
    assert_same_bits(made[0].gram.expand(), made[1].gram.expand())


def test_progress_of_tiles_from_eigenvectors_ends_once():
    said = []
    covariance.nonlinear(X, encoding="int8", progress=lambda *done: said.append(done))
    assert said == [(1, 1)]


def test_others_compute_the_same_tiles():
    alone = pairwise.distances(LONG, encoding="int8")
    with ThreadPoolExecutor(2) as executor:
        assert_same_bits(pairwise.distances(LONG, encoding="int8", executor=executor).codes, alone.codes)


@pytest.mark.parametrize("name", list(MAKERS))
def test_data_become_codes_in_a_store_of_tiles(name, tmp_path):
    pytest.importorskip("zarr")
    make = MAKERS[name]
    wanted = {} if name == "from_blocks" else {"encoding": "int8"}  # whose tiles are of 4 rows
    if not wanted:
        with pytest.raises(ValueError, match="tile is 4, and tiles of codes have a multiple of 64 rows"):
            make(encoding="int8", out=tmp_path / "s.zarr")
        return
    made, store = make(**wanted), make(**wanted, out=tmp_path / "s.zarr")
    made, store = (
        getattr(found, "S", found) if hasattr(found, "_fields") else found for found in (made, store)
    )
    assert type(store) is vech.Tiled and store.encoding == "int8" and store.dtype == made.dtype
    np.testing.assert_allclose(store.expand(), made.expand(), rtol=0, atol=float(made.error.max) / 100)
    assert store.error.max == pytest.approx(float(made.error.max), rel=1e-6)


def test_a_run_into_codes_of_tiles_goes_on_and_knows_another(tmp_path):
    pytest.importorskip("zarr")
    done, path = [], tmp_path / "s.zarr"

    def stop(count, total):
        done.append(count)
        if count == 2:
            raise KeyboardInterrupt

    def make(encoding="int8", progress=None, **how):
        return pairwise.from_blocks(
            near, 1100, dtype=float, tile=256, encoding=encoding, out=path, progress=progress, **how
        )

    def near(rows, columns):
        return np.exp(-np.abs(np.subtract.outer(LONG[rows, 0], LONG[columns, 0])))

    with pytest.raises(KeyboardInterrupt):
        make(progress=stop)
    with pytest.raises(ValueError, match="encoding was 'int8' and is 'uint8'"):
        make("uint8", resume=True)
    counts = []
    store = make(resume=True, progress=lambda *count: counts.append(count))
    assert store.missing() == [] and len(counts) < 15
    assert_same_bits(store.expand(), make().expand())


def test_what_a_quantized_result_does_not_go_with(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"encoding='int8' makes a vech.Quantized in memory, .*: out= a path ending in \.zarr",
    ):
        pairwise.distances(X, encoding="int8", out=tmp_path / "d.npy")
    with pytest.raises(
        ValueError, match="layout='numpy-triu' is for a half, and a quantized matrix holds tiles of the"
    ):
        covariance.sample(X, encoding="int8", layout="numpy-triu")
    with pytest.raises(ValueError, match="unknown encoding 'int3'"):
        covariance.sample(X, encoding="int3")
    with pytest.raises(
        ValueError,
        match=r"'kmeans-4' has 16 levels that are found in a whole matrix, and here it comes tile by tile",
    ):
        pairwise.distances(X, encoding="kmeans-4")
    for out in (None, tmp_path / "complex.zarr"):
        with pytest.raises(TypeError, match="encoding= is for real numbers, and these are complex128"):
            covariance.sample(X + 1j, encoding="int8", out=out)
    with pytest.raises(TypeError, match="encoding= is for real numbers, and these are complex128"):
        stream = covariance.Stream()
        stream.update(X + 1j)
        stream.result(encoding="int8")
    levels = vech.quantized.Encoding("kmeans-4", 4, levels=tuple(np.linspace(-1, 1, 16)))
    assert pairwise.distances(X, encoding=levels).encoding == "kmeans-4"
