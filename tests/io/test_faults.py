"""Every call that writes fails, is interrupted or precedes SIGKILL: the old matrix is read, or the new.

As SQLite is tested: the k-th call of write, flush, fsync, close, rename, link, unlink, open goes wrong, for
every k until a run comes through. What is read afterwards is never a third matrix, and never an error.
"""

import itertools
import os
import random
import stat
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

import vech
import vech.io
from faults import ACTS, Calls, children, counted, in_a_child, in_memory, is_killed, keep_from_disk, listing

N = 4
FULL = np.array([[4.0, 1, 0, 7], [1, 3, -2, 0], [0, -2, 5, 9], [7, 0, 9, 8]])
OTHER = FULL * 3 + 1
THIRD = FULL - 5


def half(matrix, layout="vech"):
    return vech.Packed(vech.pack(matrix, layout), layout)


def sparse(matrix):
    return vech.SparseHalf.from_sparse(vech.to_csr(vech.pack(matrix)))


def bare(path, matrix, **_):
    np.save(path, vech.pack(matrix))


def packs(layout):
    return lambda path, matrix, **more: vech.write(path, half(matrix, layout), **more)


def expands(path, matrix, **more):
    vech.io.expand(path, half(matrix), **more)


def sparsely(path, matrix, **more):
    vech.write(path, sparse(matrix), **more)


def named(path, matrix, **more):
    """Rows whose names, in another file, are those of this matrix."""
    store = half(matrix).astype("f4").with_labels([f"{name}{matrix[0, 0]:g}" for name in "abcd"])
    vech.write(path, store, **more)


def names_squares(path, matrix, **more):
    labels = [f"{name}{matrix[0, 0]:g}" for name in "abcd"]
    vech.io.expand(path, half(matrix).with_labels(labels), **more)


WRITERS = {
    "half.npy": packs("numpy-tril"),
    "full.npy": expands,
    "half.npz": packs("numpy-tril"),
    "sparse.npz": sparsely,
    "sparse.mtx": sparsely,
    "half.bin": packs("vech"),
    "rows.grm.bin": named,
    "rows.rel.bin": names_squares,
}
BEFORE = {
    "nothing": {},
    "same kind": WRITERS,
    "the same numbers": {
        "half.npy": lambda path, _: vech.write(path, vech.Packed(half(OTHER, "numpy-tril").half))
    },
    "another kind": {
        "half.npy": expands,
        "full.npy": packs("numpy-tril"),
        "half.npz": sparsely,
        "sparse.npz": packs("numpy-tril"),
        "sparse.mtx": packs("vech"),
        "half.bin": expands,
        "rows.rel.bin": named,
    },
    "bare numbers": {"half.npy": bare, "full.npy": bare},
}
SITUATIONS = [
    pytest.param(name, before, overwrite, id=f"{name}-over-{before}{'' if overwrite else '-if-new'}")
    for before, writers in BEFORE.items()
    for name in (writers or WRITERS)
    for overwrite in ((True, False) if before == "nothing" else (True,))
]


def what_is_there(path):
    """The matrix and its labels, or what is said instead; of bare numbers always the same error."""
    arguments = {"dtype": "<f8", "layout": "vech"} if path.suffixes == [".bin"] else {}
    if path.suffixes == [".bin"] and path.exists() and path.stat().st_size == 8 * N * N:
        arguments = {"dtype": "<f8", "n": N}
    try:
        found = vech.read(path, **arguments)
        return found.expand().tobytes() + "".join(found.labels or ()).encode()
    except (FileNotFoundError, vech.io.FileFormatError) as error:
        return str(error)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    keep_from_disk(monkeypatch)


@pytest.fixture
def tmp_path(tmp_path):
    with in_memory(tmp_path) as folder:
        yield folder


count = pytest.fixture(scope="module")(counted)


@contextmanager
def prepared(folder, name, before, overwrite):
    """A folder with what is there before: the path, the run, what may be read, and what may lie there."""
    path = folder / name
    if before != "nothing":
        BEFORE[before][name](path, FULL)
        path.chmod(0o640)
    old, files = what_is_there(path), listing(folder)
    yield path, lambda: WRITERS[name](path, OTHER, overwrite=overwrite), old, files
    for entry in folder.iterdir():
        entry.unlink()


def new_matrix(folder, name):
    path = folder / name
    WRITERS[name](path, OTHER)
    seen, files = what_is_there(path), listing(folder)
    for entry in folder.iterdir():
        entry.unlink()
    return seen, files


def check_next_run(path, name, before, new, files):
    """The next run writes the same, leaves nothing of the one before, and keeps the permissions."""
    WRITERS[name](path, OTHER)
    assert what_is_there(path) == new
    assert listing(path.parent) == files
    if before != "nothing":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("name", "before", "overwrite"), SITUATIONS)
def test_a_call_that_goes_wrong_leaves_the_old_matrix_or_the_new(
    tmp_path, monkeypatch, count, name, before, overwrite, act
):
    new, new_files = new_matrix(tmp_path, name)
    for k in range(1, 200):
        with prepared(tmp_path, name, before, overwrite) as (path, run, old, files):
            error = None
            with monkeypatch.context() as patched:
                calls = Calls(patched, k, ACTS[act])
                try:
                    run()
                except (OSError, KeyboardInterrupt) as caught:
                    error = caught
            if calls.count < k:
                break
            seen = what_is_there(path)
            assert seen in (old, new), (k, calls.name)
            count[f"call {act}: {'old' if seen == old else 'new'}"] += 1
            if isinstance(error, OSError):
                assert str(tmp_path / name.removesuffix(".bin")) in str(error), (k, calls.name)
            if error is None:
                assert seen == new, (k, calls.name)
            left = set(listing(tmp_path)) - set(files if seen == old else new_files)
            assert not left or calls.name == "unlink" or act.endswith("interrupted"), (k, calls.name, left)
            error = None  # its traceback holds the files of the run, and they the lock
            check_next_run(path, name, before, new, new_files)
    assert k > 8


def killed_before(k, run):
    Calls(pytest.MonkeyPatch(), k, is_killed)
    run()


def kills_before_calls(folder, name, before, overwrite):
    """Kill a run before each of its calls, and have the next one look; how often each matrix was there."""
    new, new_files = new_matrix(folder, name)
    found = Counter()
    for k in range(1, 200):
        with prepared(folder, name, before, overwrite) as (path, run, old, _):
            if not in_a_child(partial(killed_before, k, run)):
                return found
            seen = what_is_there(path)
            between = ".old.tmp, which was there, back" in str(seen) and name.startswith("rows")
            assert seen in (old, new) or between, (k, seen)
            found[f"killed: {'neither' if between else 'old' if seen == old else 'new'}"] += 1
            check_next_run(path, name, before, new, new_files)


@pytest.mark.parametrize(("name", "before", "overwrite"), SITUATIONS)
def test_a_process_that_is_killed_leaves_the_old_matrix_or_the_new(
    tmp_path, alone, count, name, before, overwrite
):
    found = alone(kills_before_calls, tmp_path, name, before, overwrite)
    assert found.total() >= 8
    count.update(found)


def kills_between_files(folder):
    """Kill a run before each of its calls; how often a next one, that fails, has put back what was there."""
    path, found = folder / "rows.grm.bin", 0
    for k in range(1, 200):
        named(path, FULL)
        if not in_a_child(partial(killed_before, k, lambda: named(path, OTHER))):
            return found
        if not path.exists():
            with pytest.raises(FileNotFoundError, match=r"rows.grm.bin.old.tmp, which was there, back"):
                vech.read(path)
            with pytest.raises(FileExistsError):
                named(path, OTHER, overwrite=False)
            seen = vech.read(path)
            assert np.array_equal(seen.expand(), FULL.astype("f4"))
            assert seen.labels[0] == "a4"
            named(path, OTHER)
            assert listing(folder) == ["rows.grm.bin", "rows.grm.id"]
            found += 1


def test_the_next_writer_puts_back_what_a_killed_one_has_set_aside(tmp_path, alone):
    assert alone(kills_between_files, tmp_path) > 2


# ---- side by side ------------------------------------------------------------------------------------------


MATRICES = {np.asarray(matrix).tobytes(): name for name, matrix in (("a", FULL), ("b", OTHER), ("c", THIRD))}


def writes_for_ever(path, first=0):
    steps = [packs("numpy-tril"), packs("vech"), expands]
    for k in itertools.count(first):
        steps[k % 3](path, (FULL, OTHER, THIRD)[k % 3])


def read_beside(actions, path, wanted):
    """How often each matrix is read in half a second, and on until all that are wanted were."""
    begin, found = time.monotonic(), Counter()
    with children(actions):
        while time.monotonic() < begin + 0.5 or (found.keys() < wanted and time.monotonic() < begin + 300):
            found[MATRICES[what_is_there(path)]] += 1
    return found


@pytest.mark.parametrize("writers", [1, 3])
def test_beside_writers_a_reader_sees_one_of_their_matrices(tmp_path, count, writers):
    path = tmp_path / "half.npy"
    packs("vech")(path, OTHER)
    found = read_beside([lambda: writes_for_ever(path)] * writers, path, {"a", "b", "c"})
    assert found.keys() == {"a", "b", "c"}
    count[f"read beside {writers} writers"] += found.total()


def test_beside_a_writer_numbers_never_have_the_names_of_others(tmp_path):
    path = tmp_path / "rows.rel.bin"

    def alternates():
        for matrix in itertools.cycle((FULL, OTHER)):
            names_squares(path, matrix)

    wanted = []
    for matrix in (FULL, OTHER):
        names_squares(path, matrix)
        wanted.append(what_is_there(path))
    begin, found = time.monotonic(), set()
    with children([alternates]):
        while time.monotonic() < begin + 1 or (not found >= {*wanted} and time.monotonic() < begin + 300):
            seen = what_is_there(path)
            assert seen in wanted or "replaced" in str(seen) or "No such file" in str(seen), seen
            found.add(seen)
    assert found >= {*wanted}


def test_names_that_are_set_aside_for_a_moment_are_waited_for(tmp_path, monkeypatch):
    path, ids, aside = (tmp_path / name for name in ("rows.rel.bin", "rows.rel.id", "aside"))
    names_squares(path, FULL)
    wanted, matrix_of = what_is_there(path), vech.io.plink._matrix
    moments = iter([lambda: ids.rename(aside), lambda: aside.rename(ids)])

    def a_moment_later(path):
        next(moments, lambda: None)()
        return matrix_of(path)

    monkeypatch.setattr(vech.io.plink, "_matrix", a_moment_later)
    assert what_is_there(path) == wanted


@pytest.mark.parametrize("name", ["half.npz", "sparse.mtx", "half.bin"])
def test_beside_a_writer_single_files_are_whole_too(tmp_path, count, name):
    path = tmp_path / name
    WRITERS[name](path, FULL)

    def alternates():
        for matrix in itertools.cycle((FULL, OTHER)):
            WRITERS[name](path, matrix)

    found = read_beside([alternates], path, {"a", "b"})
    assert found.keys() == {"a", "b"}
    count["read beside 1 writers"] += found.total()


def test_the_last_of_two_writers_wins_whole(tmp_path):
    path = tmp_path / "half.npy"
    for _ in range(10):
        ids = []
        for write in (lambda: packs("numpy-tril")(path, FULL), lambda: packs("vech")(path, OTHER)):
            ids.append(os.fork())
            if ids[-1] == 0:
                try:
                    write()
                    os._exit(0)
                finally:
                    os._exit(1)
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in ids] == [0, 0]
        assert what_is_there(path) in MATRICES
        assert listing(tmp_path) == ["half.npy", "half.npy.json"]


def kills(path):
    """Kill a writer that never ends, at random moments, until each matrix was there; how often it was.

    Later moments where the machine is slow.
    """
    rng = random.Random(0)
    packs("vech")(path, OTHER)
    found, end, longest = Counter(), time.monotonic() + 300, 0.03
    while (found.total() < 60 or len(found) < 3) and time.monotonic() < end:
        with children([partial(writes_for_ever, path, rng.randrange(3))]):
            time.sleep(rng.uniform(0, longest))
        found[MATRICES[what_is_there(path)]] += 1
        if found.total() % 20 == 0 and len(found) < 3:
            longest *= 2
    packs("vech")(path, OTHER)
    return found


@pytest.mark.slow
def test_a_writer_is_killed_at_random(tmp_path, alone, count):
    found = alone(kills, tmp_path / "half.npy")
    assert listing(tmp_path) == ["half.npy", "half.npy.json"]
    assert found.keys() == {"a", "b", "c"}
    count["killed at random"] += found.total()
