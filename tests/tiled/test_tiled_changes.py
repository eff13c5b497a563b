"""A store that is made anew, grows or is damaged behind the back of who has it open, here or in workers."""

import json
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pytest

import cases
import vech.io.zarr
from compare import assert_same_bits
from vech import linalg, neighbors, tiled
from vech.io import FileFormatError
from vech.tiled import objects, tiles
from vech.tiled.description import parse
from vech.tiled.foreign import foreign

N, TILE = 105, 20
FULL = np.abs(cases.matrix(np.float64, "symmetric", N + 5))
CHANGED = "was made anew, or grew, since it was opened: open it again"


def one(rows, columns):
    return np.ones((rows.stop - rows.start, columns.stop - columns.start))


def made(path, full=FULL[:N, :N], tile=TILE, **said):
    T = tiled.create(path, len(full), dtype=full.dtype, tile=tile, **said)
    return T.fill(lambda rows, columns: full[rows, columns])


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


# ---- here and in workers -----------------------------------------------------------------------------------


def moments(monkeypatch, name, act):
    """Do something at the moment before the object of a name is read for the first time."""
    get, once = objects.Folder.get, iter([act])

    def getting(self, asked):
        if asked == name:
            next(once, lambda: None)()
        return get(self, asked)

    monkeypatch.setattr(objects.Folder, "get", getting)


def test_a_tile_that_another_store_has_by_now_is_not_taken_for_its_own(tmp_path, monkeypatch):
    T, other = made(tmp_path / "S.zarr"), -FULL[:N, :N]
    T = tiled.open(T.path)
    moments(
        monkeypatch,
        "data/c/1/0",
        lambda: tiled.create(T.path, N, tile=TILE, overwrite=True).fill(
            lambda rows, columns: other[rows, columns]
        ),
    )
    with pytest.raises(ValueError, match=CHANGED):
        T.read_tile(1, 0)


@pytest.mark.parametrize("name", ["zarr.json", "data/zarr.json"])
def test_a_store_that_is_replaced_while_it_is_opened_is_opened_as_it_is_now(tmp_path, monkeypatch, name):
    T = made(tmp_path / "S.zarr")
    moments(monkeypatch, name, lambda: made(T.path, FULL[:30, :30].astype("f4"), 7, overwrite=True))
    assert_same_bits(tiled.open(T.path).expand(), FULL[:30, :30].astype("f4"))


ASKED = {
    "matmul": lambda T: T @ np.ones(T.n),
    "norm": linalg.norm,
    "inner": lambda T: linalg.inner(T, T),
    "mean": lambda T: T.mean(),
    "std": lambda T: T.std(),
    "argmax": lambda T: T.argmax(),
    "to_csr": lambda T: T.to_csr().toarray(),
    "within": lambda T: neighbors.within(T, 3.0).toarray(),
    "nearest": lambda T: neighbors.nearest(T, 3),
}


def parts(answer):
    return [np.asarray(part) for part in (answer if isinstance(answer, tuple) else (answer,))]


@pytest.mark.parametrize("name", ASKED)
def test_who_opened_a_store_that_grew_has_its_old_side_in_workers_too(tmp_path, processes, name):
    T = made(tmp_path / "S.zarr", labels=range(N))
    here = parts(ASKED[name](T))
    tiled.open(T.path, "r+").append(FULL[N:], labels="abcde")
    for found, want in zip(parts(ASKED[name](T.using(processes))), here, strict=True):
        np.testing.assert_array_equal(found, want)
    again = pickle.loads(pickle.dumps(T))
    assert again.n == N and again.labels == tuple(range(N)) and tiled.open(T.path).n == N + 5


@pytest.mark.parametrize("name", ASKED)
def test_who_opened_a_store_that_was_made_anew_is_told_by_workers_too(tmp_path, processes, name):
    T = made(tmp_path / "S.zarr")
    made(T.path, overwrite=True)
    with pytest.raises(ValueError, match=CHANGED):
        ASKED[name](T)
    with pytest.raises(ValueError, match=CHANGED):
        ASKED[name](T.using(processes))


def test_nobody_fills_a_store_that_was_made_anew_since(tmp_path, processes):
    T = tiled.create(tmp_path / "S.zarr", 60, tile=TILE)
    U = tiled.create(T.path, 60, tile=TILE, overwrite=True)
    for how in ({}, {"executor": processes}):
        with pytest.raises(ValueError, match=CHANGED):
            T.fill(one, **how)
    assert len(U.missing()) == 6


def test_a_thread_takes_nothing_for_the_same_that_another_is_still_reading(tmp_path, monkeypatch):
    T = tiled.create(tmp_path / "S.zarr", 60, tile=TILE)
    U = tiled.create(T.path, 60, tile=TILE, overwrite=True)
    seen = []

    def beside(*said):
        monkeypatch.undo()
        with pytest.raises(ValueError, match=CHANGED):
            T.write_tile(1, 0, np.ones((TILE, TILE)))
        seen.append(parse(*said))
        return seen[0]

    monkeypatch.setattr(tiles, "parse", beside)
    with pytest.raises(ValueError, match=CHANGED):
        T.write_tile(2, 0, np.ones((TILE, TILE)))
    assert seen and len(U.missing()) == 6


def test_workers_write_into_no_store_that_grew_since(tmp_path, processes):
    T = made(tmp_path / "S.zarr")
    tiled.open(T.path, "r+").append(FULL[N:])
    (tmp_path / "S.zarr/data/c/1/0").unlink()
    with pytest.raises(ValueError, match=CHANGED):
        T.fill(one, executor=processes)


def test_dask_reads_the_side_that_was_opened(tmp_path):
    pytest.importorskip("dask")
    T = made(tmp_path / "S.zarr")
    A = T.to_dask_array()
    tiled.open(T.path, "r+").append(FULL[N:])
    assert float(A.sum().compute(scheduler="processes", num_workers=1)) == pytest.approx(FULL[:N, :N].sum())


def test_it_pickles_as_older_versions_did_too(tmp_path):
    from vech.tiled.tiles import reopened

    T = made(tmp_path / "S.zarr")
    assert reopened(T.path, "r").grid.n == N


@dataclass(frozen=True)
class Eye:
    """A source of tiles, as files of other programs are."""

    n: int = 6
    tile: int = 4
    name: str = "eye"
    dtype = np.dtype("f8")

    def parts(self):
        return []

    def lower(self, rows, columns):
        return np.eye(self.n)[rows, columns].copy()


def test_tiles_of_other_programs_keep_their_labels_when_they_are_pickled():
    T = foreign(Eye(), tuple("abcdef"))
    assert pickle.loads(pickle.dumps(T)).labels == tuple("abcdef")
    assert pickle.loads(pickle.dumps(T.with_labels(range(6)))).labels == tuple(range(6))


# ---- at once with who reads --------------------------------------------------------------------------------


def before(monkeypatch, name, action):
    """Another one acts just before an object is read."""
    get, actions = objects.Folder.get, [action]

    def late(self, asked):
        if asked == name and actions:
            actions.pop()()
        return get(self, asked)

    monkeypatch.setattr(objects.Folder, "get", late)


@pytest.mark.parametrize("other", [{}, {"tile": 16}, {"full": FULL[:7, :7]}], ids=["same", "tiles", "rows"])
def test_a_tile_is_never_one_of_a_store_that_takes_the_place_meanwhile(tmp_path, monkeypatch, other):
    """Nor is its tile said to be damaged, or missing."""
    T = tiled.open(made(tmp_path / "S.zarr").path)
    before(
        monkeypatch, "data/c/1/0", lambda: made(T.path, **{"full": 2 * FULL[:N, :N], **other}, overwrite=True)
    )
    with pytest.raises(ValueError, match=f"S.zarr {CHANGED}"):
        T.read_tile(1, 0)


@pytest.mark.parametrize("name", ["zarr.json", "data/zarr.json"])
def test_what_opens_is_described_by_itself_alone(tmp_path, monkeypatch, name):
    path = made(tmp_path / "S.zarr").path
    labels = [f"r{k}" for k in range(12)]
    before(monkeypatch, name, lambda: made(path, FULL[:12, :12], tile=5, labels=labels, overwrite=True))
    T = tiled.open(path)
    assert T.labels == tuple(labels)
    assert_same_bits(T.expand(), FULL[:12, :12].copy())


def test_a_store_that_was_set_aside_for_the_moment_is_no_other_array(tmp_path, monkeypatch):
    path, real, moments = tmp_path / "S.zarr", vech.io.zarr._is_tiled, [None]

    def store():
        made(path, FULL[:12, :12], tile=12, labels=range(12), overwrite=True)

    def while_another_takes_its_place(folder):
        if moments:
            moments.pop()
            return store()
        return real(folder)

    store()
    monkeypatch.setattr(vech.io.zarr, "_is_tiled", while_another_takes_its_place)
    found = vech.read(path)
    assert isinstance(found, tiled.Tiled) and found.labels == tuple(range(12))


# ---- growing at once ---------------------------------------------------------------------------------------


def test_a_store_grows_by_one_at_a_time(tmp_path):
    T = made(tmp_path / "S.zarr")
    other, begun, goes_on = tiled.open(T.path, "r+"), threading.Event(), threading.Event()

    def slowly(rows, columns):
        begun.set()
        goes_on.wait(600)
        return FULL[rows, columns]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(T.append, slowly, n=N + 5)
        assert begun.wait(600)
        with pytest.raises(BlockingIOError, match="another run is at work on it: wait for it, for a store"):
            other.append(2 * FULL[N:])
        goes_on.set()
        first.result()
    with pytest.raises(ValueError, match=CHANGED):
        other.append(2 * FULL[N:])
    assert_same_bits(tiled.open(T.path).expand(), FULL)


@pytest.mark.parametrize("url", [True, False])
def test_who_appends_the_same_rows_after_another_is_told_before_anything_is_written(tmp_path, url):
    """Where nobody knows who else is at work, as by a URL or without locks."""
    path = "memory://growing/S.zarr" if url else tmp_path / "S.zarr"
    T = made(path, overwrite=True)
    other, full = tiled.open(path, "r+"), FULL.copy()
    full[N:, :N] *= 2
    full[:N, N:] *= 2

    def late(rows, columns):
        if T.n == N:
            T._tiles.place.hold = free
            T.append(FULL[N:])
        return full[rows, columns]

    with pytest.raises(ValueError, match=CHANGED):
        other.append(late, n=N + 5)
    assert_same_bits(tiled.open(path).expand(), FULL)


class free:  # noqa: N801, it stands for a function
    """What a place says that knows of nobody else."""

    def __init__(self, **_):
        pass

    def __enter__(self):
        return True

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("name", "less"), [("_held", set()), ("unlock", lambda _: None)], ids=["unlocked", "closed"]
)
def test_a_process_that_is_forked_keeps_nobody_from_growing_it(tmp_path, monkeypatch, name, less):
    """Its lock ends here with the work, and there at once, so that it outlives no run that is killed."""
    T = made(tmp_path / "S.zarr")
    (here, there), (begun, begins), held = os.pipe(), os.pipe(), objects._held
    with T._tiles.place.hold(alone=True) as had:
        assert had
        monkeypatch.setattr(objects, name, less)
        child = os.fork()
        if child == 0:
            os.close(there)
            os.write(begins, b"x")
            os.read(here, 1)  # until the other end is closed
            os._exit(0)
        os.read(begun, 1)
    held.clear()
    try:
        T.append(FULL[N:])
    finally:
        for end in (here, there, begun, begins):
            os.close(end)
        os.waitpid(child, 0)


# ---- descriptions that are damaged -------------------------------------------------------------------------


def test_a_flipped_bit_of_a_description_opens_no_other_matrix(tmp_path):
    """What opens says the same; of the array what is not used may be anything."""
    labels = [f"g{k}" for k in range(12)]
    T = made(tmp_path / "S.zarr", FULL[:12, :12], labels=labels, made={"X": "abc", "metric": "euclidean"})
    for name in ("zarr.json", "data/zarr.json"):
        file = tmp_path / "S.zarr" / name
        letters = file.read_bytes()
        for at in range(8 * len(letters)):
            damaged = bytearray(letters)
            damaged[at // 8] ^= 1 << at % 8
            file.write_bytes(damaged)
            try:
                found = tiled.open(T.path)
            except (FileFormatError, FileNotFoundError):
                continue
            assert (found.n, found.labels, found.made, found.kind, found.dtype, found.tile) == (
                (12, tuple(labels), T.made, "symmetric", np.float64, TILE)
            ), (name, at)
        file.write_bytes(letters)


@pytest.mark.parametrize(
    "change",
    [
        lambda group: group["vech"].update(n=10),
        lambda group: group["vech"].update(id="0" * 16),
        lambda group: group["vech"]["made"].update(x=2.0),
        lambda group: group["vech"].update(more=1),
        lambda group: group["labels"].__setitem__(0, "b"),
    ],
)
def test_a_description_that_was_changed_says_so(tmp_path, change):
    T = made(tmp_path / "S.zarr", FULL[:12, :12], labels=range(12), made={"x": 1e16, "y": [None, True, -0.0]})
    file = tmp_path / "S.zarr/zarr.json"
    found = json.loads(file.read_text())
    found["attributes"]["others"] = {"may": "add"}  # as zarr does, in its own spacing and order
    file.write_text(json.dumps(dict(reversed(found.items())), sort_keys=True))
    assert tiled.open(T.path).made == T.made
    change(found["attributes"])
    if len(found["attributes"]["labels"]) != found["attributes"]["vech"]["n"]:
        del found["attributes"]["labels"][found["attributes"]["vech"]["n"] :]
    file.write_text(json.dumps(found))
    message = "is damaged: its description has another digest than it says. Put zarr.json back; where it was"
    with pytest.raises(FileFormatError, match=message):
        tiled.open(T.path)
    del found["attributes"]["vech"]["xxh64"]  # as the message says, and as older versions wrote it
    file.write_text(json.dumps(found))
    tiled.open(T.path)
