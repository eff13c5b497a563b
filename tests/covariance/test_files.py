"""Each estimator goes to a file, is gone on with and is computed by others: by one mechanism, to the bit."""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

import cases
import vech
from faults import listing
from vech import covariance
from vech.counts import codes
from vech.covariance import incomplete, products, weighted
from vech.io import digests

RNG = np.random.default_rng(12)
X = RNG.normal(size=(40, 150)) + 2
HOLED = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
SIGNS = np.sign(np.round(X - 2))
W = RNG.random(40)
ONES = vech.Layout("lower", "columns", diagonal="one")
WHOLE = ["S.npy", "S.npy.json"]

CALLS = {
    "sample": partial(covariance.sample, X),
    "sample in float32": partial(covariance.sample, X.astype("f4"), ddof=0),
    "sample weighted": partial(covariance.sample, X, weights=W, layout="numpy-tril"),
    "sample of complex numbers": partial(covariance.sample, X[:, :75] + 1j * X[:, 75:]),
    "sample about zero": partial(covariance.sample, X, assume_centered=True),
    "sample neutral": partial(covariance.sample, HOLED, missing="neutral"),
    "sample pairwise": partial(covariance.sample, HOLED, missing="pairwise"),
    "correlation": partial(covariance.correlation, X, layout=ONES),
    "correlation pairwise": partial(covariance.correlation, HOLED, missing="pairwise"),
    "spearman": partial(covariance.spearman, X.astype("f4")),
    "spearman pairwise": partial(covariance.spearman, HOLED[:, :80], missing="pairwise"),
    "kendall": partial(covariance.kendall, X),
    "kendall pairwise": partial(covariance.kendall, HOLED, missing="pairwise", min_periods=2),
    "gerber": partial(covariance.gerber, X),
    "gerber weighted": partial(covariance.gerber, X, weights=W),
    "gerber repaired": partial(covariance.gerber, X[:, :80], form="gs0", repair="shrink"),
    "quadrant": partial(covariance.quadrant, X, layout="numpy-tril"),
    "one_bit": partial(covariance.one_bit, X, center="mean"),
    "one_bit pairwise": partial(covariance.one_bit, HOLED, missing="pairwise", min_periods=2),
    "sampled_gram": lambda **how: covariance.sampled_gram(X, 30, **how).gram,
    "jaccard": partial(covariance.jaccard, SIGNS),
    "hamming": partial(covariance.hamming, SIGNS, layout="condensed"),
    "matching": partial(covariance.matching, SIGNS, missing="pairwise", min_periods=1),
    "ledoit_wolf": partial(covariance.ledoit_wolf, X, missing="neutral"),
    "ledoit_wolf constant": partial(covariance.ledoit_wolf, X, "constant-correlation"),
    "oas": partial(covariance.oas, X, layout="svec-lower"),
    "nonlinear": partial(covariance.nonlinear, X),
    "denoise": partial(covariance.denoise, X),
}
WHOLE_AT_ONCE = ("nonlinear", "denoise")  # by eigenvalues


class Stop(Exception):  # noqa: N818, it is no error
    """What ends a run in the middle."""


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as executor:
        yield executor


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """What reaches the disk is not what is tried here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """So that there are some, of columns and of what digests are taken of."""
    monkeypatch.setattr(digests, "TILE", 256)
    monkeypatch.setattr(products, "SIDE", 60)
    monkeypatch.setattr(products, "HEIGHT", 16)
    monkeypatch.setattr(incomplete, "SIDE", 60)
    monkeypatch.setattr(incomplete, "RANK_SIDE", 30)
    monkeypatch.setattr(weighted, "SIDE", 64)


@pytest.mark.parametrize("name", CALLS)
def test_a_file_holds_what_memory_does_and_a_run_that_ended_goes_on(tmp_path, name):
    call, path = CALLS[name], tmp_path / "S.npy"
    memory = call()
    seen = []
    store = call(out=path, progress=lambda done, total: seen.append((done, total)))
    rounding = {"rtol": 1e-6, "atol": 1e-6} if store.dtype == "f4" else {"rtol": 1e-9, "atol": 1e-14}
    np.testing.assert_allclose(store.half, memory.half, **rounding)
    assert (store.layout, store.kind, store.dtype) == (memory.layout, memory.kind, memory.dtype)
    assert listing(tmp_path) == WHOLE
    want = store.half.tobytes()
    assert call(out=path, resume=True).half.tobytes() == want
    assert vech.read(path, verify=True).half.tobytes() == want
    if name in WHOLE_AT_ONCE:
        return
    tiles = seen[-1][1]
    assert tiles > 1 and seen[-1] == (tiles, tiles)
    for entry in tmp_path.iterdir():
        entry.unlink()

    def stops(done, total):
        if done > total // 2:
            raise Stop

    with pytest.raises(Stop):
        call(out=path, progress=stops)
    assert not path.exists()
    assert call(out=path, resume=True).half.tobytes() == want
    assert listing(tmp_path) == WHOLE


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("file", [None, "S.npy"])
def test_a_run_tells_how_far_it_is_until_it_is_done(tmp_path, name, file):
    seen = []
    out = None if file is None else tmp_path / file
    CALLS[name](out=out, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("name", [name for name in CALLS if name not in WHOLE_AT_ONCE])
def test_any_executor_gives_the_bytes_of_the_file(tmp_path, name, processes):
    call, path = CALLS[name], tmp_path / "S.npy"
    want = call(out=path).half.tobytes()
    with ThreadPoolExecutor(2) as threads:
        assert call(executor=threads).half.tobytes() == want
    if name in ("sample of complex numbers", "spearman pairwise", "kendall pairwise", "gerber weighted"):
        assert call(executor=processes).half.tobytes() == want
        assert call(executor=processes, out=path).half.tobytes() == want


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("options", [{}, {"missing": "neutral"}, {"assume_centered": True}], ids=str)
@pytest.mark.parametrize("name", WHOLE_AT_ONCE)
def test_any_executor_gives_the_same_bits_to_what_goes_by_eigenvalues(
    tmp_path, name, options, dtype, processes
):
    data = np.random.default_rng(2).normal(size=(300, 70)).astype(dtype) + 3
    if options.get("missing"):
        data[5, 7] = np.nan
    call = partial(getattr(covariance, name), data, **options)
    close = {"rtol": 1e-3, "atol": 1e-3} if dtype == "f4" else {"rtol": 1e-8, "atol": 1e-12}
    np.testing.assert_allclose(call(executor=processes).half, call().half, **close)
    want = call(executor=processes).half.tobytes()
    assert call(out=tmp_path / "alone.npy").half.tobytes() == want
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as threads:
            assert call(executor=threads).half.tobytes() == want
            assert call(executor=threads, out=tmp_path / f"{workers}.npy").half.tobytes() == want
    with ThreadPoolExecutor(1) as threads, pytest.raises(TypeError, match="executor= needs whole columns"):
        getattr(covariance, name)(iter([data]), executor=threads)


@pytest.mark.parametrize("name", WHOLE_AT_ONCE)
def test_the_sample_is_multiplied_by_the_executor(name):
    class Counted(ThreadPoolExecutor):
        def submit(self, *what, **how):
            tasks.append(what)
            return super().submit(*what, **how)

    tasks = []
    with Counted(1) as threads:
        getattr(covariance, name)(np.concatenate([X, X[::-1] ** 2])[:, :70], executor=threads)
    assert len(tasks) >= 3  # sums of rows, and tiles


OTHERS = {
    "sample": ({"ddof": 0}, "ddof was 1 and is 0"),
    "sample weighted": ({"weights": W + 1}, "weights: not the same"),
    "correlation": ({"assume_centered": True}, "assume_centered was False and is True"),
    "kendall": ({"variant": "a"}, "variant was 'b' and is 'a'"),
    "gerber": ({"threshold": 0.7}, "threshold: not the same"),
    "jaccard": ({"missing": "neutral"}, "missing was 'raise' and is 'neutral'"),
    "oas": ({"assume_centered": True}, "assume_centered was False and is True"),
    "nonlinear": ({"assume_centered": True}, "assume_centered was False and is True"),
    "denoise": ({"variance": 0.5}, "variance was 1.0 and is 0.5"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_parameters_are_another_run(tmp_path, name):
    path = tmp_path / "S.npy"
    CALLS[name](out=path)
    other, message = OTHERS[name]
    with pytest.raises(ValueError, match=f"S.npy is of another: .*{message}"):
        CALLS[name](out=path, resume=True, **other)


def test_another_function_and_other_data_are_another_run(tmp_path):
    path = tmp_path / "S.npy"
    covariance.sample(X, out=path)
    with pytest.raises(
        ValueError, match=r"function was 'vech.covariance.sample' and is 'vech.covariance.oas'"
    ):
        covariance.oas(X, out=path, resume=True)
    with pytest.raises(ValueError, match="X: not the same"):
        covariance.sample(X + 1, out=path, resume=True)


def test_blocks_are_summed_up_in_one_pass_into_the_file(tmp_path):
    """A run of them starts anew, but what is complete is read; an iterator has no second pass for that."""
    path, blocks = tmp_path / "S.npy", lambda: iter(np.array_split(X, 3))
    want = covariance.sample(blocks).half.tobytes()
    assert covariance.sample(blocks(), out=path).half.tobytes() == want
    assert covariance.sample(blocks, out=path).half.tobytes() == want
    calls = []
    progress = lambda done, total: calls.append(done)
    assert covariance.sample(blocks, out=path, resume=True, progress=progress).half.tobytes() == want
    assert calls == []
    with pytest.raises(TypeError, match="resume=True reads X twice, and an iterator can be read once"):
        covariance.sample(blocks(), out=path, resume=True)
    way = "whole columns: pass X as an array or a memory map, or let each worker update a Stream"
    with ThreadPoolExecutor(1) as executor, pytest.raises(TypeError, match=f"executor= needs {way}"):
        covariance.sample(blocks, executor=executor)


def test_a_frame_keeps_its_labels(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[:, :3], columns=list("abc"))
    assert covariance.correlation(frame, out=tmp_path / "S.npy").labels == ("a", "b", "c")
    with pytest.raises(ValueError, match="labels: not the same"):
        covariance.correlation(frame.rename(columns=str.upper), out=tmp_path / "S.npy", resume=True)


@pytest.mark.parametrize("name", ("ledoit_wolf", "oas", "nonlinear"))
def test_the_shrinkage_is_no_part_of_the_file(tmp_path, name):
    call, path = partial(getattr(covariance, name), X, return_shrinkage=True), tmp_path / "S.npy"
    store, shrinkage = call(out=path)
    again, same = call(out=path, resume=True)
    assert again.half.tobytes() == store.half.tobytes()
    np.testing.assert_array_equal(shrinkage, same)


def test_a_run_that_ended_while_it_was_shrunk_goes_on(tmp_path, monkeypatch):
    """Numbers that were changed after they were noted are computed again."""
    path = tmp_path / "S.npy"
    want = covariance.ledoit_wolf(X, out=path).half.tobytes()
    path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr("vech.results.result.Result.store", lambda self: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            covariance.ledoit_wolf(X, out=path)
    assert covariance.ledoit_wolf(X, out=path, resume=True).half.tobytes() == want


@pytest.mark.parametrize(
    ("change", "error", "message"),
    (
        ({7: np.nan}, ValueError, r"X has 40 NaN, the first in row 0, column 7"),
        ({7: np.inf}, ValueError, "infinite number"),
        ({7: 1e200}, None, None),
        ({7: 1e-200}, ValueError, "sums of squares of X underflow"),
        ({7: 1e180}, OverflowError, "sums of squares of X exceed float64"),
    ),
)
def test_errors_are_those_of_memory(tmp_path, change, error, message):
    Y = X.copy()
    for column, value in change.items():
        Y[:, column] = value * (1 + RNG.random(40)) if 1 < abs(value) < np.inf or 0 < value < 1 else value
    if error is None:
        Y[:, 7] = 1e200
        store = covariance.sample(Y, out=tmp_path / "S.npy")
        np.testing.assert_array_equal(store.diagonal()[7], 0)
        with pytest.raises(ValueError, match="column 7 of X is constant, and its correlation is 0/0"):
            covariance.correlation(Y, out=tmp_path / "R.npy")
        return
    for out in (None, tmp_path / "S.npy"):
        with pytest.raises(error, match=message):
            covariance.sample(Y, out=out)
    assert not (tmp_path / "S.npy").exists()


@pytest.mark.parametrize("name", cases.ESTIMATORS)
@pytest.mark.parametrize(
    "wrap", [lambda Y: Y, lambda Y: lambda: iter([Y[:20], Y[20:]])], ids=["array", "blocks"]
)
def test_what_is_refused_leaves_nothing_beside_the_file(tmp_path, name, wrap):
    Y = X.copy()
    Y[30, 149] = np.nan
    for path in (tmp_path / "S.npy", tmp_path / "S.zarr"):
        with pytest.raises((ValueError, TypeError)):
            getattr(covariance, name)(wrap(Y), out=path)
    assert listing(tmp_path) == []
    constant = np.ones_like(X)
    for other in ("correlation", "denoise"):
        with pytest.raises(ValueError, match="is constant"):
            getattr(covariance, other)(wrap(constant), out=tmp_path / "S.npy")
    assert listing(tmp_path) == []


def test_what_was_done_is_kept_where_the_next_run_is_refused_early(tmp_path, monkeypatch):
    path = tmp_path / "S.npy"

    def stops(done, total):
        if done > total // 2:
            raise Stop

    with pytest.raises(Stop):
        covariance.sample(X, out=path, progress=stops)
    left = listing(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(products.Centre, "of", lambda *_: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            covariance.sample(X, out=path, resume=True)
    assert listing(tmp_path) == left and "S.npy.journal" in left


@pytest.mark.parametrize(
    "wrap",
    [lambda Y: Y, lambda Y: lambda: iter([Y[:20], Y[20:]])],
    ids=["map", "blocks"],
)
def test_the_file_that_x_is_mapped_from_is_not_replaced(tmp_path, wrap):
    path, link = tmp_path / "X.npy", tmp_path / "link.npy"
    np.save(path, X)
    link.symlink_to(path)
    before, data = path.read_bytes(), wrap(np.load(path, mmap_mode="r"))
    for out in (path, link):
        with pytest.raises(
            ValueError, match=r"out='.*npy' is the file that X is mapped from: choose another"
        ):
            covariance.sample(data, out=out)
    assert path.read_bytes() == before and listing(tmp_path) == ["X.npy", "link.npy"]


def test_numbers_far_from_zero_keep_their_digits(tmp_path):
    far = X + 1e8 * X.std()
    want = covariance.sample(far - far[0]).half
    store = covariance.sample(far, out=tmp_path / "S.npy")
    np.testing.assert_allclose(store.half, want, rtol=1e-9, atol=1e-9)


def test_a_stream_gives_a_file_too(tmp_path):
    stream = covariance.Stream("sample")
    stream.update(X)
    assert stream.result(out=tmp_path / "S.npy").half.tobytes() == stream.result().half.tobytes()
    assert listing(tmp_path) == WHOLE


def test_parts_of_counts_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(codes, "PANEL", 64)
    want = covariance.gerber(X).half.tobytes()
    with ThreadPoolExecutor(2) as executor:
        assert covariance.gerber(X, executor=executor).half.tobytes() == want
