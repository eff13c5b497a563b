"""Writers of tiles that fail, are interrupted or killed: what was marked stays, and nothing else is there."""

import errno
import os
import random
import shutil
import time
from functools import cache, partial

import numpy as np
import pytest

import cases
import vech
from compare import assert_same_bits
from faults import (
    ACTS,
    CALLS,
    Calls,
    children,
    counted,
    forked,
    in_a_child,
    in_memory,
    is_killed,
    limited,
    was_killed,
)
from vech import tiled

N, TILE = 7, 4
MORE = 4  # rows: the last of a row of tiles, and another one
FULL = cases.matrix(np.float64, "symmetric", N)
LARGER = cases.matrix(np.float64, "symmetric", N + MORE)
LARGER[:N, :N] = FULL
OLD = vech.Packed(np.arange(6.0))
FOLDER_CALLS = (*CALLS, "rename", "mkdir", "rmdir")
CODES = cases.matrix(np.float64, "symmetric", 130)
CODES[100:] *= 40
CODES[:, 100:] *= 40

count = pytest.fixture(scope="module")(counted)


@pytest.fixture
def tmp_path(tmp_path):
    with in_memory(tmp_path) as folder:
        (folder / "stores").mkdir()
        yield folder / "stores"


def of(full):
    return lambda rows, columns: full[rows, columns]


def fill(path):
    tiled.open(path, "r+").fill(of(FULL))


def grow(path):
    tiled.open(path, "r+").append(of(LARGER), n=N + MORE)


def grow_codes(path):
    tiled.open(path, "r+").append(CODES[100:])


def codes(path):
    return tiled.create(path, 100, tile=64, encoding="int8").fill(of(CODES))


def write(path):
    tiled.write(path, vech.Packed(vech.pack(FULL)), tile=TILE)


def prepare(path, action):
    """A copy of the first that was made for the action here: that takes a third of making one."""
    shutil.rmtree(path, ignore_errors=True)
    made = path.parent.with_name(f"before-{action.__name__}.zarr")
    if not made.exists():
        make_before(made, action)
    shutil.copytree(made, path)


def make_before(path, action):
    if action is fill:
        tiled.create(path, N, tile=TILE)
    elif action is grow:
        tiled.create(path, N, tile=TILE).fill(of(FULL))
    elif action is grow_codes:
        codes(path)
    else:
        vech.write(path, OLD)


@cache
def few_codes():
    return codes("memory://kills/few.zarr").expand()


@cache
def more_codes():
    T = codes("memory://kills/more.zarr")
    T.append(CODES[100:])
    return T.expand()


def what_is_there(path):
    """The matrix under a name; of one that is filled, the tiles that are done."""
    store = tiled.open(path)
    assert store.verify() == []
    if missing := store.missing():
        for i, j in set(store._tiles.grid.lower()) - set(missing):
            rows, columns = (slice(k * TILE, (k + 1) * TILE) for k in (i, j))
            assert_same_bits(store.read_tile(i, j), np.ascontiguousarray(FULL[rows, columns]))
        return "some"
    full, wants = store.expand(), [("old", OLD.expand()), ("whole", FULL), ("grown", LARGER)]
    if store.encoding is not None:
        wants = [("whole", few_codes()), ("grown", more_codes())]
    for name, wanted in wants:
        if full.shape == wanted.shape and full.tobytes() == wanted.tobytes():
            return name
    raise AssertionError(full)


BEFORE_AND_AFTER = {fill: ({"some", "whole"}, "whole"), grow: ({"whole", "grown"}, "grown")}
BEFORE_AND_AFTER |= {grow_codes: ({"whole", "grown"}, "grown")}
BEFORE_AND_AFTER |= {write: ({"old", "whole"}, "whole")}
every_action = pytest.mark.parametrize("action", BEFORE_AND_AFTER, ids=lambda action: action.__name__)


@every_action
@pytest.mark.parametrize("act", ACTS)
def test_after_a_call_that_goes_wrong_all_is_as_before_or_done(tmp_path, monkeypatch, count, action, act):
    between, after = BEFORE_AND_AFTER[action]
    path = tmp_path / "S.zarr"
    for k in range(1, 400):
        prepare(path, action)
        with monkeypatch.context() as patched:
            calls = Calls(patched, k, ACTS[act], FOLDER_CALLS)
            try:
                action(path)
            except (OSError, KeyboardInterrupt) as caught:
                assert isinstance(caught, KeyboardInterrupt) or caught.errno == errno.ENOSPC, (k, calls.name)
        if calls.count < k:
            break
        assert what_is_there(path) in between, (k, calls.name)
        if action is not grow_codes or tiled.open(path).n == 100:
            action(path)
        tiled.open(path, "r+")
        assert what_is_there(path) == after, (k, calls.name)
        assert os.listdir(tmp_path) == ["S.zarr"], (k, calls.name)
        count[f"call of a writer of tiles {act}"] += 1
    assert k > 15


def killed_before(k, action, path):
    Calls(pytest.MonkeyPatch(), k, is_killed, FOLDER_CALLS)
    action(path)


def kills_before_calls(path, action):
    """Kill a writer before each of its calls, and have the next one look; how many they were."""
    between, after = BEFORE_AND_AFTER[action]
    for k in range(1, 400):
        prepare(path, action)
        if not in_a_child(partial(killed_before, k, action, path)):
            return k - 1
        if not path.exists():  # between two renames: the next writer puts it back
            assert action is write
        else:
            assert what_is_there(path) in between, k
        if action is not grow_codes or tiled.open(path).n == 100:
            action(path)
        tiled.open(path, "r+")
        assert what_is_there(path) == after, k
        assert os.listdir(path.parent) == ["S.zarr"], k
        assert not [name for _, _, names in os.walk(path) for name in names if name.endswith(".tmp")], k


@every_action
def test_a_writer_that_is_killed_before_a_call_has_lost_nothing(tmp_path, alone, count, action):
    killed = alone(kills_before_calls, tmp_path / "S.zarr", action)
    assert killed >= 15
    count["writer of tiles killed before a call"] += killed


def kills(path, wanted):
    """Fill a store, killed at random moments, each a little later; whatever was seen to be done stays so."""
    rng, full = random.Random(wanted), cases.matrix(np.float64, "symmetric", 60)
    killed = 0
    while killed < wanted:
        shutil.rmtree(path, ignore_errors=True)
        tiled.create(path, 60, tile=8)
        missing, longest = set(tiled.open(path).missing()), 0.02
        while missing:
            child = forked(lambda: tiled.open(path, "r+").fill(of(full)))
            time.sleep(rng.uniform(0, longest))
            os.kill(child, 9)
            killed, longest = killed + was_killed(child), 1.3 * longest
            left = set(tiled.open(path).missing())
            assert left <= missing
            missing = left
        store = tiled.open(path)
        assert store.verify() == []
        assert_same_bits(store.expand(), full)
    return killed


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_writers_are_killed_at_random(tmp_path, alone, count, times):
    count["writer of tiles killed at random"] += alone(kills, tmp_path / "S.zarr", times)


def writes_for_ever(path, factor):
    store = tiled.open(path, "r+")
    while True:
        for i, j in store._tiles.grid.lower():
            rows, columns = (slice(k * TILE, (k + 1) * TILE) for k in (i, j))
            store.write_tile(i, j, FULL[rows, columns] * factor)


def test_beside_writers_of_the_same_tiles_a_reader_sees_one_of_theirs(tmp_path):
    path = tmp_path / "S.zarr"
    prepare(path, grow)
    found, tile = set(), slice(TILE, 2 * TILE)
    ends = time.monotonic() + 300
    with children([partial(writes_for_ever, path, factor) for factor in (1, 2)]):
        store = tiled.open(path)
        while len(found) < 2 and time.monotonic() < ends:
            found.add(float((store.read_tile(1, 0) / FULL[tile, :TILE]).mean()))
    assert found == {1.0, 2.0}
    assert tiled.open(path).verify() == []


@pytest.mark.parametrize("action", [fill, grow])
def test_a_tile_that_does_not_fit_on_the_disk_is_an_error_and_what_is_done_stays(tmp_path, action):
    path = tmp_path / "S.zarr"
    prepare(path, action)
    before = what_is_there(path)
    with pytest.raises(OSError, match="File too large"):
        limited(100, lambda: action(path))
    assert what_is_there(path) == before
    assert not [name for _, _, names in os.walk(path) for name in names if name.endswith(".tmp")]
    action(path)
    assert what_is_there(path) == BEFORE_AND_AFTER[action][1]
