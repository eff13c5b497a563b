"""Tiles of cells: means, extremes and counts by double loops, whatever store, kind and level."""

import threading
import time

import numpy as np
import pytest
import scipy.sparse
from tile_bytes import TILE, expected, taken_apart

import vech
from vech.viewer import pyramid
from vech.viewer import scene as scenes
from vech.viewer.scene import NotThereError, Scene

KINDS = {"symmetric": 1, "skew": -1}
PLACES = [(0, 0, 0), (0, 5, 2), (0, 5, 5), (1, 1, 0), (1, 2, 2), (2, 1, 0), (3, 0, 0)]


def square(n, kind="symmetric", seed=0):
    A = np.random.default_rng(seed).normal(size=(n, n))
    return A + KINDS[kind] * A.T


def packed(A, kind="symmetric", **more):
    return vech.Packed(vech.pack(A, kind=kind, use="lower"), kind=kind, **more)


def settled(scene, part, level, i, j):
    """The tile once all is read."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        seen = taken_apart(scene.tile(part, level, i, j), level)
        if seen.known == 1000:
            return seen
        time.sleep(0.02)
    pytest.fail("the matrix is not read within 300 s")


@pytest.fixture
def scene(monkeypatch):
    """Scenes of small tiles, of which few are kept: small matrices have all sorts of levels."""
    for module in (pyramid, scenes):
        monkeypatch.setattr(module, "TILE", TILE)
    monkeypatch.setattr(pyramid, "KEPT", 50)
    monkeypatch.setattr(pyramid, "SQUARE", 13)
    made = []

    def make(S, **more):
        made.append(Scene(S, title="", **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_of_every_level_hold_what_their_numbers_say(scene, kind):
    A = square(163, kind)
    seen = scene(packed(A, kind))
    assert seen.facts()["levels"] == [0, 1, 2, 3]
    for level, i, j in PLACES:
        tile = settled(seen, "value", level, i, j)
        mean, largest, _ = expected(A, level, i, j)
        np.testing.assert_allclose(tile.mean, mean, rtol=0, atol=1e-14)
        np.testing.assert_array_equal(tile.largest, largest)
        assert not tile.odd.any() and not tile.absent.any() and not tile.is_sample


def test_what_is_not_finite_is_counted_and_left_out_of_means(scene):
    A = square(88)
    A[40, 12] = A[12, 40] = np.nan
    A[41, 12] = A[12, 41] = -np.inf
    A[33:36, 33:36] = np.inf
    seen = scene(packed(A))
    for level, i, j in [(0, 1, 0), (0, 1, 1), (1, 0, 0), (2, 0, 0)]:
        tile = settled(seen, "value", level, i, j)
        mean, _, odd = expected(A, level, i, j)
        np.testing.assert_allclose(tile.mean, mean, rtol=0, atol=1e-14)
        np.testing.assert_array_equal(tile.odd, np.ceil(255 * odd / 4**level))
        assert odd.any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_means_of_the_largest_numbers_do_not_overflow(scene, kind):
    lower = np.tril(np.ones((163, 163)), -1)
    signs = lower + KINDS[kind] * lower.T
    sparse = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(signs * 1.7e308), kind=kind)
    for S, stored in ((packed(signs * 1.7e308, kind), None), (sparse, signs != 0)):
        seen = scene(S)
        for level, i, j in PLACES:
            mean = expected(signs, level, i, j, stored)[0]
            found = settled(seen, "value", level, i, j).mean
            np.testing.assert_allclose(found, mean * 1.7e308, rtol=1e-12, atol=1e294)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sparse_store_shows_what_it_stores(scene, kind):
    M = scipy.sparse.random_array((115, 115), density=0.02, rng=np.random.default_rng(1), format="csr")
    M.data[:5] = np.nan
    lower = scipy.sparse.tril(M, -1 if kind == "skew" else 0, format="csr")
    full = lower + KINDS[kind] * scipy.sparse.tril(M, -1).T
    S = vech.SparseHalf.from_sparse(full, kind=kind, use="lower")
    A = S.expand()
    seen = scene(S)
    for level, i, j in [(0, 2, 1), (1, 1, 0), (1, 1, 1), (2, 0, 0)]:
        tile = taken_apart(seen.tile("value", level, i, j), level)
        mean, largest, odd = expected(A, level, i, j, stored=(A != 0))
        np.testing.assert_allclose(tile.mean, mean, rtol=0, atol=1e-14)
        np.testing.assert_array_equal(tile.largest, largest)
        assert ((tile.odd > 0) == (odd > 0)).all() and not tile.absent.any()


@pytest.mark.parametrize("kind", ["symmetric", "hermitian", "skew", "skew-hermitian"])
def test_parts_of_complex_numbers_are_mirrored_by_their_signs(scene, kind):
    rng = np.random.default_rng(2)
    half = rng.normal(size=75 * 76 // 2) + 1j * rng.normal(size=75 * 76 // 2)
    S = vech.Packed(half, kind=kind)
    A, seen = S.expand(), scene(S)
    parts = {part["name"]: part["sign"] for part in seen.facts()["parts"]}
    assert list(parts) == ["modulus", "real", "imaginary"]
    for name, take in {"modulus": np.abs, "real": np.real, "imaginary": np.imag}.items():
        tile = taken_apart(seen.tile(name, 0, 2, 0), 0)
        np.testing.assert_array_equal(tile.mean, take(A[64:75, :32]))
        np.testing.assert_array_equal(parts[name] * tile.mean.T, take(A[:32, 64:75]))
        mean, _, _ = expected(take(A), 1, 0, 0)
        np.testing.assert_allclose(settled(seen, name, 1, 0, 0).mean, mean, rtol=0, atol=1e-14)


def test_what_is_read_within_a_moment_is_waited_for(scene, monkeypatch):
    monkeypatch.setattr(pyramid, "PATIENCE", 600.0)
    tile = taken_apart(scene(packed(square(163))).tile("value", 3, 0, 0), 3)
    assert not tile.is_sample and tile.known == 1000


def test_a_sample_stands_for_what_is_not_read_yet_and_is_said_to_be_one(scene, monkeypatch):
    A = square(163)
    monkeypatch.setattr(pyramid, "PATIENCE", 0.0)
    monkeypatch.setattr(pyramid.Pyramid, "_gather", lambda self: None)
    tile = taken_apart(scene(packed(A)).tile("value", 3, 0, 0), 3)
    assert tile.is_sample == 1 and tile.known < 1000
    places = np.minimum(8 + 16 * np.arange(11), 162).repeat(2)[:21]
    np.testing.assert_array_equal(tile.mean, A[np.ix_(places, places)])


@pytest.mark.parametrize(
    ("n", "levels"),
    [
        (0, [0]),
        (1, [0]),
        (256, [0]),
        (257, [0, 1]),
        (4096, [0, 1, 2, 3, 4]),
        (100_000, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (1_000_000, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]),
    ],
)
def test_levels_reach_from_single_numbers_to_one_tile(monkeypatch, n, levels):
    monkeypatch.setattr(pyramid.Pyramid, "_gather", lambda self: None)
    numbers = type("Numbers", (), {"n": n, "tile": None})()
    made = pyramid.Pyramid(numbers, None)
    assert made.levels == levels
    assert n <= pyramid.TILE << levels[-1]
    assert len(made._kept.total) <= pyramid.KEPT


def test_an_error_of_reading_comes_with_the_next_tile(scene, monkeypatch):
    S = packed(square(88))

    def broken(*_, **__):
        raise OSError("the disk is gone")

    monkeypatch.setattr(S, "block", broken, raising=False)
    monkeypatch.setattr(S, "tiles", broken, raising=False)
    from vech.viewer.numbers import Numbers, parts_of

    made = pyramid.Pyramid(Numbers(S), parts_of(S)[0])
    with pytest.raises(OSError, match="the disk is gone"):
        made.tile(1, 0, 0)


def test_closing_ends_the_reading(monkeypatch):
    S, gather, ended = packed(square(700)), pyramid.Pyramid._gather, threading.Event()
    monkeypatch.setattr(pyramid, "SQUARE", 2)
    monkeypatch.setattr(pyramid.Pyramid, "_gather", lambda self: (gather(self), ended.set()))
    made = Scene(S, title="")
    made.facts()
    made.close()
    kept = next(iter(made._pyramids.values()))
    assert ended.wait(300) and kept._known < 1


@pytest.mark.parametrize("place", [(0, 0, 1), (0, 3, 0), (4, 0, 0), (1, -1, 0)])
def test_there_is_no_other_tile(scene, place):
    with pytest.raises(NotThereError):
        scene(packed(square(75))).tile("value", *place)


# ---- a store in tiles --------------------------------------------------------------------------------------


@pytest.fixture
def tiled(tmp_path):
    pytest.importorskip("zarr", reason="stores in tiles need the extra 'tiled'")
    pytest.importorskip("google_crc32c", reason="stores in tiles need the extra 'tiled'")
    A = square(125)
    T = vech.tiled.create(tmp_path / "S.zarr", 125, tile=37)

    def put(*tiles):
        for i, j in tiles:
            T.write_tile(i, j, A[37 * i : 37 * (i + 1), 37 * j : 37 * (j + 1)])

    return T, A, put


def test_tiles_that_are_not_done_are_said_to_be_absent_until_they_are(scene, tiled, monkeypatch):
    monkeypatch.setattr(pyramid, "AGAIN", 0.02)
    T, A, put = tiled
    put((0, 0), (1, 0), (2, 1), (3, 2))
    seen = scene(T)
    tile = taken_apart(seen.tile("value", 0, 1, 0), 0)  # rows 32 to 63, columns 0 to 31
    np.testing.assert_array_equal(tile.mean, A[32:64, :32])
    tile = taken_apart(seen.tile("value", 0, 1, 1), 0)  # of tiles (0, 0), (1, 0) and (1, 1)
    is_there = np.zeros((32, 32), bool)
    is_there[:5], is_there[:, :5] = True, True
    np.testing.assert_array_equal(tile.absent, np.where(is_there, 0, 255))
    np.testing.assert_array_equal(tile.mean, np.where(is_there, A[32:64, 32:64], np.nan))
    assert tile.known < 1000
    assert seen.numbers(1, 1)[5:] == [
        [str(x) for x in A[i, 32:37]] + ["not done"] * 27 for i in range(37, 64)
    ]
    put((1, 1), (2, 0), (2, 2), (3, 0), (3, 1), (3, 3))
    for level, i, j in [(0, 1, 1), (1, 1, 0), (2, 0, 0)]:
        tile = settled(seen, "value", level, i, j)
        np.testing.assert_allclose(tile.mean, expected(A, level, i, j)[0], rtol=0, atol=1e-14)
        assert not tile.absent.any()
    assert seen.numbers(1, 1)[13][14] == str(A[45, 46])


def test_a_damaged_tile_is_absent_and_its_numbers_say_why(scene, tiled, tmp_path):
    _, A, put = tiled
    put(*[(i, j) for i in range(4) for j in range(i + 1)])
    path = tmp_path / "S.zarr" / "data" / "c" / "2" / "1"
    changed = bytearray(path.read_bytes())
    changed[77] ^= 4
    path.write_bytes(changed)
    seen = scene(vech.read(tmp_path / "S.zarr"))
    tile = taken_apart(seen.tile("value", 0, 2, 1), 0)  # rows 64 to 95, columns 32 to 63
    rows, columns = np.arange(64, 96)[:, None], np.arange(32, 64)
    is_damaged = (rows >= 74) & (columns >= 37)
    np.testing.assert_array_equal(tile.absent, np.where(is_damaged, 255, 0))
    np.testing.assert_array_equal(tile.mean[~is_damaged], A[64:96, 32:64][~is_damaged])
    assert seen.numbers(2, 1)[10][5] == "damaged"
    assert seen.numbers(1, 2)[5][10] == "damaged"
