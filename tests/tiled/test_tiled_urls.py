"""Stores by URL, where nothing can be renamed: what is replaced, what stays, what is never touched."""

from contextlib import suppress

import numpy as np
import pytest

import vech
from compare import assert_same_bits
from vech import tiled
from vech.pairwise import distances
from vech.tiled import description, objects

fsspec = pytest.importorskip("fsspec")
ROWS = np.random.default_rng(0).normal(size=(30, 3))


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def one(rows, columns):
    return np.ones((rows.stop - rows.start, columns.stop - columns.start))


def made(url, n=9, tile=4, **said):
    return tiled.create(url, n, tile=tile, **said).fill(one)


@pytest.mark.parametrize("name", ["run[1].zarr", "*.zarr", "r?n1.zarr", "run[!2].zarr"])
def test_a_name_that_looks_like_a_pattern_is_a_name(memory, name):
    euclidean = distances(ROWS, out="memory://w/run1.zarr").expand()
    memory.pipe_file("/w/precious.zarr/x.txt", b"mine")
    distances(ROWS, out=f"memory://w/{name}")
    D = distances(ROWS, "cityblock", out=f"memory://w/{name}")
    assert_same_bits(D.expand(), distances(ROWS, "cityblock").expand())
    T = tiled.create(f"memory://w/{name}", 5, overwrite=True)
    assert T.missing() == [(0, 0)]
    T._tiles.place.remove()
    assert not memory.find(f"/w/{name}")
    assert_same_bits(tiled.open("memory://w/run1.zarr").expand(), euclidean)
    assert memory.cat_file("/w/precious.zarr/x.txt") == b"mine"


def test_a_store_is_written_over_itself(memory):
    T = made("memory://b/s.zarr", 10)
    vech.write("memory://b/s.zarr", T)
    assert (tiled.open("memory://b/s.zarr").expand() == 1).all()
    tiles = [f"data/c/{i}/{j}" for i, j in T._tiles.grid.lower()]
    assert memory.find("/b") == sorted(
        f"/b/s.zarr/{name}" for name in ("zarr.json", "data/zarr.json", *tiles)
    )


class Broken(vech.Packed):
    """A store that cannot be read to its end."""

    def block(self, rows, cols, out=None, *, threads=None):
        if rows.start > 0:
            raise ZeroDivisionError
        return super().block(rows, cols, out, threads=threads)


@pytest.mark.parametrize("there", [True, False])
def test_a_write_that_fails_leaves_what_was_there(memory, there):
    url = "memory://b/s.zarr"
    if there:
        made(url, 10)
    before = {key: memory.cat_file(key) for key in memory.find("/b")}
    with pytest.raises(ZeroDivisionError):
        vech.write(url, Broken(np.ones(55)), tile=4)
    assert {key: memory.cat_file(key) for key in memory.find("/b")} == before
    if not there:
        with pytest.raises(FileNotFoundError, match="no such store of tiles"):
            tiled.open(url)
    vech.write(url, vech.Packed(np.arange(55.0)), tile=4)
    assert_same_bits(tiled.open(url).expand(), vech.Packed(np.arange(55.0)).expand())


def killed_at(monkeypatch, k):
    """Every object that is put or copied from the k-th one on does not arrive: the process was killed."""
    count = 0

    def counted(call):
        def called(self, *arguments):
            nonlocal count
            count += 1
            if count >= k:
                raise SystemExit
            return call(self, *arguments)

        return called

    for name in ("put", "_copy_one", "_remove"):
        monkeypatch.setattr(objects.Remote, name, counted(getattr(objects.Remote, name)))
    monkeypatch.setattr(objects.Remote, "remove", lambda self: None)
    monkeypatch.setattr(objects, "MANY", 1)
    return lambda: count


@pytest.mark.parametrize("there", [True, False])
def test_a_writer_that_is_killed_leaves_the_old_store_or_the_new_one(memory, monkeypatch, there):
    url, new = "memory://b/s.zarr", vech.Packed(np.arange(55.0))
    seen = set()
    for k in range(1, 100):
        memory.store.clear()
        if there:
            made(url, 10)
        with monkeypatch.context() as patched:
            calls = killed_at(patched, k)
            with suppress(SystemExit):
                vech.write(url, new, tile=4)
            if calls() < k:
                break
        try:
            found = tiled.open(url)
            seen.add("old" if (found.expand() == 1).all() else "new")
        except FileNotFoundError as error:
            if complete := [word for word in str(error).split() if word.startswith("memory://b/s.zarr/.new")]:
                assert_same_bits(tiled.open(complete[0]).expand(), new.expand())  # as the message says
                seen.add("waits")
            else:
                assert not there
                seen.add("none")
        if there:
            assert seen != {"new"}
        vech.write(url, new, tile=4)
        assert_same_bits(tiled.open(url).expand(), new.expand())
        assert tiled.open(url).verify() == []
    assert k > 8 and seen == ({"old", "waits"} if there else {"none"})


def test_a_store_that_waits_is_not_overwritten_unasked(memory, monkeypatch):
    url, new = "memory://b/s.zarr", vech.Packed(np.arange(55.0))
    made(url, 10)
    with monkeypatch.context() as patched:
        killed_at(patched, 12)
        with pytest.raises(SystemExit):
            vech.write(url, new, tile=4)
    with pytest.raises(FileNotFoundError, match=r"memory://b/s\.zarr/\.new\.\w+\.tmp is complete"):
        tiled.open(url)
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        tiled.create(url, 3)
    vech.write(url, vech.Packed(np.ones(3)))
    assert_same_bits(tiled.open(url).expand(), np.ones((2, 2)))
    assert not [key for key in memory.find("/b") if ".new." in key]


@pytest.mark.parametrize("name", ["memory://b/other.zarr", "../other.zarr", "", ".part/../../other.zarr"])
def test_what_is_elsewhere_is_not_taken(memory, name):
    """Whatever a description says that somebody has changed, or copied from another place."""
    other = made("memory://b/other.zarr", 10)
    memory.pipe_file("/b/s.zarr/zarr.json", description.begun(name))
    vech.write("memory://b/s.zarr", vech.Packed(np.ones(3)))
    assert_same_bits(tiled.open("memory://b/s.zarr").expand(), np.ones((2, 2)))
    assert (tiled.open(other.path).expand() == 1).all() and other.verify() == []


class Stop(Exception):  # noqa: N818, it is no error
    """What ends a run in the middle."""


def test_a_finished_store_stays_until_another_one_is_finished(memory):
    url = "memory://b/d.zarr"
    blocks = vech.pairwise.from_blocks(one, 9, dtype="f8", tile=4, out=url)

    def stopping(done, total):
        if done == 2:
            raise Stop

    def two(rows, columns):
        return 2 * one(rows, columns)

    with pytest.raises(Stop):
        vech.pairwise.from_blocks(two, 9, dtype="f8", tile=4, out=url, progress=stopping)
    assert_same_bits(tiled.open(url).expand(), blocks.expand())
    made = vech.pairwise.from_blocks(two, 9, dtype="f8", tile=4, out=url, resume=True)
    assert (made.expand() == 2).all() and (tiled.open(url).expand() == 2).all()
    assert not [key for key in memory.find("/b") if "/.part/" in key]


@pytest.mark.parametrize("name", ["notes.txt", "data/notes.txt", "data/c/notes.txt", "data/c/1/mine"])
def test_what_others_put_into_a_store_is_not_lost(memory, name):
    url = "memory://b/s.zarr"
    T = made(url)
    memory.pipe_file(f"/b/s.zarr/{name}", b"mine")
    for call in (
        lambda: tiled.create(url, 3, overwrite=True),
        lambda: vech.write(url, T),
        lambda: distances(ROWS, out=url),
    ):
        with pytest.raises(FileExistsError, match=f"holds '{name}' beside its tiles, which would be lost"):
            call()
    T._tiles.place.remove()
    assert memory.cat_file(f"/b/s.zarr/{name}") == b"mine" and (tiled.open(url).expand() == 1).all()


def test_another_thing_of_that_name_is_not_overwritten(memory):
    memory.pipe_file("/b/s.zarr/data/zarr.json", b"an array of somebody")
    memory.pipe_file("/b/file.zarr", b"a file")
    for url in ("memory://b/s.zarr", "memory://b/file.zarr"):
        with pytest.raises(FileExistsError, match="exists and is no store of tiles, so it is not overw"):
            tiled.create(url, 3, overwrite=True)
    assert memory.cat_file("/b/s.zarr/data/zarr.json") == b"an array of somebody"


def test_where_nothing_is_copied_there_it_is_read_and_written(memory, monkeypatch):
    def refuses(*_):
        raise NotImplementedError

    monkeypatch.setattr(type(memory), "cp_file", refuses)
    made("memory://b/s.zarr")
    vech.write("memory://b/s.zarr", vech.Packed(np.arange(55.0)), tile=4)
    assert_same_bits(tiled.open("memory://b/s.zarr").expand(), vech.Packed(np.arange(55.0)).expand())


def test_what_is_below_a_url_of_several():
    place = objects.Remote.__new__(objects.Remote)
    for url, below in (
        ("memory://b/s.zarr", "memory://b/s.zarr/.part"),
        ("simplecache::memory://b/s.zarr", "simplecache::memory://b/s.zarr/.part"),
        ("zip://s.zarr::memory://b.zip", "zip://s.zarr/.part::memory://b.zip"),
    ):
        place.path = url
        assert place.inside(".part") == below
