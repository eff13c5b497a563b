"""Folders of stores: what others have put there, links and pipes among the tiles, folders of other users."""

import errno
import os
import re
import resource
import stat
from pathlib import Path

import numpy as np
import pytest

import vech
from compare import assert_same_bits
from faults import forked, listing, was_killed
from vech import linalg, tiled
from vech.io import FileFormatError
from vech.pairwise import distances

N, TILE = 9, 4
ROWS = np.random.default_rng(0).normal(size=(N, 3))
FULL = distances(ROWS).expand()


def of(rows, columns):
    return FULL[rows, columns]


@pytest.fixture
def store(tmp_path):
    return tiled.create(tmp_path / "S.zarr", N, tile=TILE).fill(of)


@pytest.mark.parametrize("name", ["notes.txt", "mine/", "data/mine", "data/c/notes.txt", "data/c/1/mine"])
def test_what_others_put_into_a_store_is_not_lost(store, tmp_path, name):
    mine = tmp_path / "S.zarr" / name
    if name.endswith("/"):
        mine.mkdir()
    else:
        mine.write_text("mine")
    name = name.rstrip("/")
    message = re.escape(f"holds {name!r} beside its tiles, which would be lost: move it, or choose another")
    seen = []
    for call in (
        lambda: tiled.create(store.path, 3, overwrite=True),
        lambda: vech.write(store.path, store),
        lambda: distances(ROWS, "cityblock", out=store.path, progress=lambda *said: seen.append(said)),
        lambda: vech.covariance.sample(ROWS.T, out=store.path),
    ):
        with pytest.raises(FileExistsError, match=message):
            call()
    assert mine.exists() and seen == [] and listing(tmp_path) == ["S.zarr"]
    assert_same_bits(tiled.open(store.path).expand(), FULL)


def test_what_others_put_there_during_a_run_is_not_lost_and_the_run_goes_on(tmp_path):
    path, mine = tmp_path / "d.zarr", tmp_path / "d.zarr/notes.txt"
    distances(ROWS, out=path)
    with pytest.raises(FileExistsError, match=r"holds 'notes\.txt' beside its tiles"):
        distances(ROWS, "cityblock", out=path, progress=lambda *_: mine.write_text("mine"))
    with pytest.raises(FileExistsError, match=r"holds 'notes\.txt' beside its tiles"):
        distances(ROWS, "cityblock", out=path, resume=True)
    mine.rename(tmp_path / "notes.txt")
    made = distances(ROWS, "cityblock", out=path, resume=True)
    assert_same_bits(made.expand(), distances(ROWS, "cityblock").expand())
    assert listing(tmp_path) == ["d.zarr", "notes.txt"]


def test_nor_what_others_put_into_a_factor(tmp_path):
    T = tiled.create(tmp_path / "S.zarr", N, tile=TILE).fill(lambda r, c: np.eye(N)[r, c])
    bad = tiled.create(tmp_path / "B.zarr", N, tile=TILE).fill(lambda r, c: -np.eye(N)[r, c])
    path, mine = tmp_path / "L.zarr", tmp_path / "L.zarr/notes.txt"
    linalg.cholesky(T, out=path)
    mine.write_text("mine")
    seen = []
    with pytest.raises(FileExistsError, match=r"holds 'notes\.txt' beside its tiles"):
        linalg.cholesky(T, out=path, progress=lambda *said: seen.append(said))
    assert seen == []
    (tmp_path / "L.zarr/data/c/1/0").unlink()
    with pytest.raises(FileExistsError, match=r"holds 'notes\.txt' beside its tiles"):
        linalg.cholesky(bad, out=path)
    tiled.create(tmp_path / "M.zarr", 3).fill(lambda *_: np.eye(3))._tiles.place.remove()
    assert mine.read_text() == "mine" and "M.zarr" not in listing(tmp_path)


def test_leftovers_of_killed_writers_are_nobodys(store, tmp_path):
    for name in (".zarr.json.0123abcd.tmp", "data/.zarr.json.0123abcd.tmp", "data/c/1/.0.0123abcd.tmp"):
        (tmp_path / "S.zarr" / name).touch()
    assert tiled.create(store.path, 3, overwrite=True).n == 3


# ---- links and pipes ---------------------------------------------------------------------------------------


def test_a_link_in_the_place_of_a_tile_is_replaced_and_not_followed(store, tmp_path):
    tile, target = tmp_path / "S.zarr/data/c/2/0", tmp_path / "target"
    mode = tile.stat().st_mode
    for content, write in (
        (b"of somebody", lambda: store.repair(of)),
        (tile.read_bytes(), lambda: store.write_tile(2, 0, FULL[8:, :4])),
        (None, lambda: store.fill(of)),
    ):
        tile.unlink()
        target.unlink(missing_ok=True)
        tile.symlink_to(target)
        if content is not None:
            target.write_bytes(content)
            target.chmod(0o600)
        write()
        assert not tile.is_symlink() and tile.stat().st_mode == mode
        assert (target.read_bytes() if target.exists() else None) == content
        assert store.verify() == store.missing() == []


def test_a_link_in_the_place_of_a_description_is_replaced_too(store, tmp_path):
    about, target = tmp_path / "S.zarr/zarr.json", tmp_path / "target"
    text = about.read_bytes()
    about.rename(target)
    about.symlink_to(target)
    T = tiled.open(store.path, "r+")
    T.append(np.zeros((1, N + 1)))
    assert not about.is_symlink() and target.read_bytes() == text and tiled.open(store.path).n == N + 1


def test_a_store_that_is_a_link_is_followed(store, tmp_path):
    (tmp_path / "link.zarr").symlink_to("S.zarr")
    vech.write(tmp_path / "link.zarr", vech.Packed(np.ones(3)))
    assert (tmp_path / "link.zarr").is_symlink() and tiled.open(store.path).n == 2


@pytest.mark.parametrize("name", ["data", "data/c", "data/c/1"])
def test_what_a_folder_of_tiles_that_is_a_link_leads_to_is_written_and_never_removed(store, tmp_path, name):
    folder, there = tmp_path / "S.zarr" / name, tmp_path / "disk" / "folder"
    there.parent.mkdir()
    folder.rename(there)
    folder.symlink_to(there)
    (there / "mine").write_text("mine")
    T = tiled.open(store.path, "r+")
    assert_same_bits(T.expand(), FULL)
    tile = next(path for path in there.rglob("*") if path.name == "0" and path.is_file())
    tile.unlink()
    T.fill(of)
    kept = listing(there)
    assert tile.is_file() and T.missing() == T.verify() == [] and "mine" in kept
    assert_same_bits(tiled.create(store.path, 5, overwrite=True).fill(of).expand(), FULL[:5, :5])
    assert not folder.is_symlink() and listing(there) == kept and (there / "mine").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["S.zarr", "disk"]


def test_a_pipe_in_the_place_of_a_tile_is_no_tile(store, tmp_path):
    tile = tmp_path / "S.zarr/data/c/2/0"
    tile.unlink()
    os.mkfifo(tile)
    assert store.missing() == [(2, 0)]
    with pytest.raises(FileNotFoundError, match=r"tile \(2, 0\) is not done"):
        store @ np.ones(N)
    store.fill(of)
    assert stat.S_ISREG(tile.stat().st_mode) and store.verify() == []
    assert_same_bits(store.expand(), FULL)


def test_a_pipe_in_the_place_of_a_description_is_none(store, tmp_path):
    for name, error in (("data/zarr.json", FileFormatError), ("zarr.json", FileNotFoundError)):
        (tmp_path / "S.zarr" / name).unlink()
        os.mkfifo(tmp_path / "S.zarr" / name)
        with pytest.raises(error):
            tiled.open(store.path)
    with pytest.raises(FileExistsError, match="exists and is no store of tiles"):
        tiled.create(store.path, 3, overwrite=True)


def answers_with_few_files(paths, most):
    """What stores say that are open at once, where a process may have so many open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        stores = [tiled.open(path) for path in paths]
        return [[S @ np.ones(S.n) for S in stores] for _ in range(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_stores_of_many_tiles_are_open_at_once(tmp_path, alone):
    """Each tile that stays mapped is an open file."""
    paths = [str(tmp_path / f"{k}.zarr") for k in range(3)]
    for path in paths:
        tiled.create(path, len(FULL), tile=1, compression="none").fill(lambda *at: FULL[at])
    for found in np.concatenate(alone(answers_with_few_files, paths, 128)):
        np.testing.assert_allclose(found, FULL.sum(axis=0))


# ---- folders of other users --------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of other users")
def test_a_store_that_cannot_be_removed_is_not_replaced(store, tmp_path):
    tmp_path.chmod(0o777)

    def replaces():
        os.setgid(65534)
        os.setuid(65534)
        for call in (
            lambda: tiled.create(store.path, 3, overwrite=True),
            lambda: distances(ROWS, "cityblock", out=store.path),
        ):
            with pytest.raises(PermissionError, match="may not be removed by you: choose another name"):
                call()

    assert not was_killed(forked(replaces))
    assert listing(tmp_path) == ["S.zarr"]
    assert_same_bits(tiled.open(store.path).expand(), FULL)


def test_names_may_be_as_long_as_the_system_has_them(tmp_path):
    path = tmp_path / f"{'a' * 245}.zarr"
    vech.write(path, vech.Packed(np.arange(6.0)))
    vech.write(path, vech.Packed(np.ones(6)), overwrite=True)
    found = vech.pairwise.distances(np.eye(3), out=path)
    np.testing.assert_array_equal(vech.read(path).expand(), found.expand())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_may_not_be_written_to_is_said_by_the_name_of_the_store(tmp_path, monkeypatch):
    def refused(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(PermissionError) as found:
        vech.tiled.create(tmp_path / "s.zarr", 3)
    assert found.value.filename == str(tmp_path / "s.zarr")
