"""Distances and kernels go to a file, are gone on with and computed by others: the same bytes each time."""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas
import pytest
from scipy import sparse

import vech
from faults import listing
from vech.pairwise import cosine, distances, gram, kernel
from vech.results import making

RNG = np.random.default_rng(5)
X = RNG.normal(size=(50, 7))
WHOLE = ["d.npy", "d.npy.json"]
CALLS = {
    "euclidean": partial(distances, X),
    "euclidean in float32": partial(distances, X.astype("f4"), layout="vech"),
    "cosine": partial(distances, X, "cosine"),
    "mahalanobis": partial(distances, X, "mahalanobis"),
    "cityblock": partial(distances, X, "cityblock", layout="numpy-tril"),
    "minkowski": partial(distances, X, "minkowski", p=3),
    "jaccard": partial(distances, X > 0, "jaccard"),
    "rbf": partial(kernel, X),
    "laplacian": partial(kernel, X, "laplacian", layout=vech.Layout("lower", "columns", diagonal="one")),
}


W = np.arange(1.0, X.shape[1] + 1)
FRAME = pandas.DataFrame(X)
OTHERS = {
    "weighted": partial(distances, X, "cosine", w=W),
    "sparse": partial(distances, sparse.csr_array(X)),
    "sparse kernel": partial(kernel, sparse.csr_array(X)),
    "frame": partial(distances, FRAME),
    "gower": partial(distances, FRAME, "gower"),
}


class Stop(Exception):  # noqa: N818, it is no error
    """What ends a run in the middle."""


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(making.make, "__kwdefaults__", making.make.__kwdefaults__ | {"side": 16})


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize("name", CALLS)
def test_the_same_bytes_wherever_it_goes_and_whoever_computes(tmp_path, name, processes):
    call, path = CALLS[name], tmp_path / "d.npy"
    want = call().half.tobytes()
    with ThreadPoolExecutor(2) as threads:
        for executor in (None, threads, processes):
            for out in (None, path):
                assert call(out=out, executor=executor).half.tobytes() == want
    path.unlink()

    def stops(done, total):
        assert total == 10
        if done == 6:
            raise Stop

    with pytest.raises(Stop):
        call(out=path, progress=stops)
    assert not path.exists()
    assert call(out=path, resume=True).half.tobytes() == want
    assert listing(tmp_path) == WHOLE
    stops = lambda done, total: pytest.fail("it is complete")
    assert call(out=path, resume=True, progress=stops).half.tobytes() == want


@pytest.mark.parametrize(
    ("name", "other", "message"),
    (
        ("euclidean", partial(distances, X, "cosine"), "metric was 'euclidean' and is 'cosine'"),
        ("euclidean", partial(distances, X + 1), "another: X: not the same. Pass"),
        ("euclidean", partial(distances, X, w=W), r"another: w was None and is <f8 \(.*,\). Pass"),
        ("cosine", partial(distances, X + 1, "cosine"), "another: X: not the same. Pass"),
        ("cosine", partial(distances, X, "cosine", w=W), r"another: w was None and is <f8 \(.*,\). Pass"),
        ("weighted", partial(distances, X, "cosine", w=2 * W), "another: w: not the same. Pass"),
        (
            "mahalanobis",
            partial(distances, X, "mahalanobis", VI=np.eye(X.shape[1])),
            "another: VI was None and is",
        ),
        ("jaccard", partial(distances, X > 1, "jaccard"), "another: X: not the same. Pass"),
        ("sparse", partial(distances, sparse.csr_array(2 * X)), "another: X: not the same. Pass"),
        ("sparse kernel", partial(kernel, sparse.csr_array(2 * X)), "another: X: not the same. Pass"),
        ("frame", partial(distances, FRAME * 2), "another: X: not the same. Pass"),
        ("frame", partial(distances, X), "another: labels was given and is None. Pass"),
        ("gower", partial(distances, FRAME * 2, "gower", w=W), "another: w was None and is"),
        ("gower", partial(distances, FRAME**2, "gower"), "another: X: not the same. Pass"),
        ("minkowski", partial(distances, X, "minkowski", p=4), "p was 3.0 and is 4.0"),
        ("rbf", partial(kernel, X, gamma=2.0), "gamma was "),
        ("rbf", partial(distances, X), "metric was 'rbf' and is 'euclidean'"),
    ),
)
def test_what_differs_is_named(tmp_path, name, other, message):
    (CALLS | OTHERS)[name](out=tmp_path / "d.npy")
    with pytest.raises(ValueError, match=rf"d.npy is of .*{message}"):
        other(out=tmp_path / "d.npy", resume=True)


def test_labels_of_a_frame_go_to_the_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, index=[f"r{k}" for k in range(len(X))])
    store = distances(frame, out=tmp_path / "d.npy")
    assert store["r0", "r7"] == distances(X)[0, 7] and vech.read(tmp_path / "d.npy").labels == tuple(
        frame.index
    )


IN_FILES = {
    "distances": distances,
    "weighted": lambda X, **to: distances(np.ones((5, 6)), w=X[0], **to),
    "rounded": partial(kernel, dtype="float32"),
    "kernel": kernel,
    "gram": gram,
    "cosine": cosine,
    "gower": partial(distances, metric="gower"),
}


@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_the_file_that_x_is_mapped_from_is_not_replaced(tmp_path, name, dtype):
    path = tmp_path / "X.npy"
    np.save(path, np.arange(1, 43).reshape(7, 6).astype(dtype))
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"out='.*X.npy' is the file that [Xw] is mapped from: choose another"
    ):
        IN_FILES[name](np.load(path, mmap_mode="r"), out=path)
    assert path.read_bytes() == before and listing(tmp_path) == ["X.npy"]
    assert IN_FILES[name](np.load(path, mmap_mode="r"), out=tmp_path / "d.npy").n in (5, 7)


@pytest.mark.parametrize("name", ["distances", "kernel", "gram", "cosine", "gower"])
def test_an_array_that_overlaps_a_map_is_refused(tmp_path, name):
    data = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", shape=(7, 6))
    data[...] = X[:7, :6]
    size = 21 if name in ("distances", "gower") else 28
    out = np.asarray(data).reshape(-1)[:size]
    with pytest.raises(ValueError, match="out shares memory with the input"):
        IN_FILES[name](data, out=out)
    np.testing.assert_array_equal(data, X[:7, :6])
