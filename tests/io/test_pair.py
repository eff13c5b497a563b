"""The numbers of a half and their description change as one, and it is believed of its own numbers only."""

import errno
import json
import os
import re
import stat
import threading
import time

import numpy as np
import pytest

import cases
import vech
import vech.io
from vech.io import FileFormatError, arrays, digests, npy, pair

FULL = np.array([[4.0, 1, 0, 7], [1, 3, -2, 0], [0, -2, 5, 9], [7, 0, 9, 8]])
OTHER = FULL * 3 + 1
ADVICE = (
    "something else wrote the numbers (np.save leaves their description), or they are damaged; if they are "
    "right, delete the description and say layout= (--layout), or write both with vech.write"
)


@pytest.fixture
def half(tmp_path):
    return tmp_path / "half.npy"


@pytest.fixture
def beside(tmp_path):
    return tmp_path / "half.npy.json"


@pytest.fixture
def mapped(monkeypatch):
    """Every file is large, and of 20 tiles three are looked at."""
    monkeypatch.setattr(arrays, "MAP_FROM", 1)
    monkeypatch.setattr(digests, "TILE", 64)
    monkeypatch.setattr(digests, "SAMPLE", 1)


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def write(path, matrix, layout="vech", **more):
    vech.write(path, vech.Packed(vech.pack(matrix, layout), layout), **more)


def without_digest(beside):
    """Let a description be one of before there were digests."""
    found = json.loads(beside.read_text())
    del found["digest"]
    beside.write_text(json.dumps(found))


# ---- other numbers -----------------------------------------------------------------------------------------


def test_numbers_of_np_save_over_a_described_half_are_refused(half, beside):
    write(half, FULL, "numpy-tril")
    np.save(half, vech.pack(FULL))
    with fails(f"{beside}: has digests of other numbers: bytes 0 to 80 of them differ: {ADVICE}"):
        vech.read(half)
    beside.unlink()
    assert np.array_equal(vech.read(half, layout="vech").expand(), FULL)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.zeros(15), "says n=4, so an array of shape (10,), and the array has shape (15,)"),
        (FULL, "says n=4, so an array of shape (10,), and the array has shape (4, 4)"),
        (np.zeros(10, "f4"), "says dtype <f8, and the array has <f4"),
    ],
    ids=["length", "full", "dtype"],
)
def test_an_array_of_np_save_that_is_no_such_half_is_refused(half, beside, numbers, message):
    write(half, FULL)
    np.save(half, numbers)
    with fails(f"{beside}: {message}: {ADVICE}"):
        vech.read(half)


def test_a_layout_that_is_said_does_not_make_other_numbers_right(half):
    write(half, FULL, "vech")
    np.save(half, vech.pack(OTHER))
    with fails("has digests of other numbers"):
        vech.read(half, layout="vech")


@cases.each("at", range(128, 208))
def test_every_byte_counts(half, at):
    write(half, FULL)
    text = bytearray(half.read_bytes())
    text[at] ^= 1
    half.write_bytes(text)
    with fails("has digests of other numbers"):
        vech.read(half)


def test_writing_both_anew_is_a_way_out(half):
    write(half, FULL, "numpy-tril")
    np.save(half, vech.pack(OTHER))
    write(half, OTHER)
    assert np.array_equal(vech.read(half).expand(), OTHER)


def test_a_description_of_before_there_were_digests_is_read(half, beside):
    write(half, FULL, "numpy-tril")
    without_digest(beside)
    assert np.array_equal(vech.read(half).expand(), FULL)


def test_a_copy_is_read_and_verified(half, tmp_path):
    write(half, FULL)
    for name in ("copy.npy", "copy.npy.json"):
        (tmp_path / name).write_bytes((tmp_path / name.replace("copy", "half")).read_bytes())
    assert np.array_equal(vech.read(tmp_path / "copy.npy", verify=True).expand(), FULL)


def test_of_a_map_a_sample_is_compared_and_all_where_that_is_said(half, mapped):
    numbers = np.arange(161.0 * 80)
    vech.write(half, vech.Packed(numbers))
    changed = np.load(half)
    changed[8 * 700] = -1
    np.save(half, changed)
    assert vech.read(half).half[8 * 700] == -1
    with fails("has digests of other numbers: bytes 44,800 to 44,928 of them differ"):
        vech.read(half, verify=True)
    np.save(half, changed[::-1])
    with fails("has digests of other numbers: bytes 0 to 128 of them differ"):
        vech.read(half)


@pytest.mark.parametrize("name", ["bare.npy", "full.npy", "half.bin", "half.mtx"])
def test_without_a_digest_there_is_nothing_to_verify(tmp_path, name):
    path = tmp_path / name
    if name == "bare.npy":
        np.save(path, vech.pack(FULL))
    elif name == "full.npy":
        np.save(path, FULL)
    else:
        write(path, FULL)
    with fails(
        f"{path}: has no digest of its numbers to verify: leave verify out, or vech.write them to a .npy"
    ):
        vech.read(path, layout="vech", verify=True)


def test_a_described_half_without_digest_cannot_be_verified(half, beside):
    write(half, FULL)
    without_digest(beside)
    with fails(f"{beside}: has no digest of its numbers to verify"):
        vech.read(half, verify=True)


def test_an_archive_has_its_own_sums_to_verify(tmp_path):
    write(tmp_path / "half.npz", FULL)
    assert np.array_equal(vech.read(tmp_path / "half.npz", verify=True).expand(), FULL)


# ---- as one ------------------------------------------------------------------------------------------------


def written(path, form, matrix, **more):
    if form == "full":
        vech.io.expand(path, vech.Packed(vech.pack(matrix)), **more)
    elif form == "bare":
        np.save(path, vech.pack(matrix))
    else:
        write(path, matrix, form, **more)


def test_while_numbers_are_replaced_the_description_says_what_is_either_there(half, beside, monkeypatch):
    write(half, FULL, "numpy-tril")
    old, texts, real = json.loads(beside.read_text()), [], os.replace

    def replace(source, target):
        real(source, target)
        texts.append((os.path.basename(target), json.loads(beside.read_text())))

    monkeypatch.setattr(os, "replace", replace)
    write(half, OTHER, "vech")
    new = json.loads(beside.read_text())
    assert (old["layout"], new["layout"]) == ("numpy-tril", "vech")
    either = {"vech": 1, "either": [new, old]}
    assert texts == [("half.npy.json", either), ("half.npy", either), ("half.npy.json", new)]


def instants(monkeypatch, folder, action):
    """What lies in a folder after each step that changes a name."""
    seen = []

    def watched(function):
        def called(*arguments, **options):
            function(*arguments, **options)
            files = [path for path in folder.iterdir() if not path.name.startswith(".")]
            seen.append({path.name: path.read_bytes() for path in files})

        return called

    with monkeypatch.context() as patched:
        for name in ("replace", "link", "unlink"):
            patched.setattr(os, name, watched(getattr(os, name)))
        action()
    return seen


def content(path):
    try:
        return vech.read(path).expand().tolist()
    except (FileNotFoundError, FileFormatError) as error:
        return str(error)


@pytest.mark.parametrize("is_mapped", [False, True])
@pytest.mark.parametrize("old", ["nothing", "numpy-tril", "undigested", "full", "bare"])
@pytest.mark.parametrize("new", ["vech", "full"])
def test_at_every_instant_there_is_the_old_matrix_or_the_new(
    half, beside, tmp_path, monkeypatch, request, old, new, is_mapped
):
    if is_mapped:
        request.getfixturevalue("mapped")
    if old != "nothing":
        written(half, {"undigested": "numpy-tril"}.get(old, old), FULL)
    if old == "undigested":
        without_digest(beside)
    before = content(half)
    found = instants(monkeypatch, tmp_path, lambda: written(half, new, OTHER))
    after = content(half)
    assert after == OTHER.tolist()
    states = []
    for files in found:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, text in files.items():
            (tmp_path / name).write_bytes(text)
        states.append(content(half))
        written(half, new, FULL + 1)  # the next run, from there
        assert content(half) == (FULL + 1).tolist()
    turn = states.index(after)
    assert states == [before] * turn + [after] * (len(states) - turn)


def test_numbers_of_which_a_sample_is_equal_are_told_apart(half, tmp_path, monkeypatch, mapped):
    numbers = np.zeros(80 * 161)
    numbers[[8 * 700, 8 * 800]] = 1, 2
    vech.write(half, vech.Packed(numbers))
    changed = numbers.copy()
    changed[8 * 800] = 0  # of the new numbers, a sample fits the old ones too
    found = instants(monkeypatch, tmp_path, lambda: vech.write(half, vech.Packed(changed, "numpy-tril")))
    for name, text in found[0].items():
        (tmp_path / name).write_bytes(text)
    got = vech.read(half)
    assert got.layout == vech.as_layout("vech") and np.array_equal(got.half, numbers)


def test_another_writer_waits_until_both_files_are_changed(half, monkeypatch):
    write(half, FULL)
    real, threads = os.replace, []

    def replace(source, target):
        if str(target).endswith(".json") and threading.current_thread() is threading.main_thread():
            threads.append(threading.Thread(target=write, args=(half, FULL + OTHER, "numpy-triu")))
            threads[-1].start()
            time.sleep(0.1)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write(half, OTHER, "numpy-tril")
    for thread in threads:
        thread.join()
    assert len(threads) == 2
    assert np.array_equal(vech.read(half).expand(), FULL + OTHER)


@pytest.mark.parametrize("form", ["vech", "full"])
def test_what_a_killed_writer_left_of_either_file_is_removed(half, form):
    for name in (".half.npy.0123abcd.tmp", ".half.npy.json.0123abcd.tmp"):
        half.with_name(name).touch()
    written(half, form, FULL)
    assert not [path.name for path in half.parent.iterdir() if path.name.startswith(".")]


def test_numbers_that_are_neither_the_old_nor_the_new_are_refused(half, beside, tmp_path, monkeypatch):
    write(half, FULL, "numpy-tril")
    found = instants(monkeypatch, tmp_path, lambda: write(half, OTHER))
    beside.write_bytes(found[0]["half.npy.json"])
    np.save(half, vech.pack(FULL + OTHER))
    with fails(f"{beside}: has digests of other numbers: bytes 0 to 80 of them differ: {ADVICE}"):
        vech.read(half)


@pytest.mark.parametrize("text", ["null", '{"vech": 1, "either": [null, null]}'])
def test_no_description_at_all_is_told_from_none(half, beside, text):
    np.save(half, vech.pack(FULL))
    beside.write_text(text)
    with fails('has "vech": None' if text == "null" else "does not say which"):
        vech.read(half)


def test_a_change_that_follows_one_that_was_cut_off_knows_what_is_there(half, beside, tmp_path, monkeypatch):
    write(half, FULL, "numpy-tril")
    old = json.loads(beside.read_text())
    found = instants(monkeypatch, tmp_path, lambda: write(half, OTHER))
    for name, text in found[0].items():
        (tmp_path / name).write_bytes(text)
    found = instants(monkeypatch, tmp_path, lambda: write(half, FULL + OTHER))
    either = json.loads(found[0]["half.npy.json"])["either"]
    assert either == [json.loads(beside.read_text()), old]


@pytest.mark.parametrize("either", [None, [], [{}], [None] * 3, {"a": 1, "b": 2}, "ab"])
def test_a_description_whose_either_is_none(half, beside, either):
    write(half, FULL)
    beside.write_text(json.dumps({"vech": 1, "either": either}))
    with fails(f'{beside}: says "either", which goes with "vech": 1 and two descriptions'):
        vech.read(half)


@pytest.mark.parametrize("versions", [[3, "a"], [{}, []], [{"vech": 2}, {"vech": 2}]])
def test_an_either_of_what_is_no_description(half, beside, versions):
    write(half, FULL)
    beside.write_text(json.dumps({"vech": 1, "either": versions}))
    with fails("and this version of vech reads 1"):
        vech.read(half)


@pytest.mark.parametrize("text", [b"\xff", b"{", b'{"vech": 2}', b"[1]", b'{"vech": 1, "either": 3}'])
def test_a_description_that_is_none_is_written_over(half, beside, text):
    write(half, FULL)
    beside.write_bytes(text)
    write(half, OTHER)
    assert np.array_equal(vech.read(half).expand(), OTHER)
    beside.write_bytes(text)
    written(half, "full", FULL)
    assert np.array_equal(vech.read(half).expand(), FULL) and not beside.exists()


def test_a_rename_that_fails_leaves_both_files_as_they_were(half, beside, monkeypatch):
    write(half, FULL)
    before = {path.name: path.read_bytes() for path in half.parent.iterdir()}
    real = os.replace

    def replace(source, target):
        if str(target) == str(half):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match=re.escape(f"Input/output error: '{half}'")):
        write(half, OTHER)
    assert {path.name: path.read_bytes() for path in half.parent.iterdir()} == before


def test_a_reader_opens_both_again_where_one_was_replaced(half, monkeypatch):
    write(half, FULL, "numpy-tril")
    real, times = pair._bytes, []

    def later(beside):
        times.append(beside)
        if len(times) < 4:
            monkeypatch.setattr(pair, "_bytes", real)
            write(half, OTHER if len(times) % 2 else FULL, "vech")
            monkeypatch.setattr(pair, "_bytes", later)
        return real(beside)

    monkeypatch.setattr(pair, "_bytes", later)
    assert np.array_equal(vech.read(half).expand(), OTHER)
    assert len(times) == 4


def test_a_reader_gives_up_in_the_end(half, monkeypatch):
    write(half, FULL)
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with fails(f"{half}: is replaced again and again while it is read: read it when its writer is done"):
        vech.read(half)


# ---- not over what is there --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["vech", "full"])
@pytest.mark.parametrize("name", ["half.npy", "half.npy.json"])
@pytest.mark.parametrize("late", [False, True])
def test_what_is_there_or_appears_meanwhile_stays(half, monkeypatch, form, name, late):
    there = half.with_name(name)

    def appears(*_):
        there.write_text("precious")

    if late:
        header = npy.write_header
        monkeypatch.setattr(npy, "write_header", lambda *arguments: (appears(), header(*arguments)))
    else:
        appears()
    text = "exists: choose another name, or overwrite=True (--force) to overwrite it"
    with pytest.raises(FileExistsError, match=re.escape(f"{text}: '{there}'")):
        written(half, form, FULL, overwrite=False)
    assert [(path.name, path.read_text()) for path in half.parent.iterdir()] == [(name, "precious")]


@pytest.mark.parametrize("name", ["half.npy", "half.npy.json"])
def test_what_appears_at_the_last_moment_stays(half, monkeypatch, name):
    there, real = half.with_name(name), os.link

    def link(source, target):
        if str(target) == str(there):
            there.write_text("precious")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(FileExistsError, match=re.escape(str(there))):
        write(half, FULL, overwrite=False)
    assert [(path.name, path.read_text()) for path in half.parent.iterdir()] == [(name, "precious")]


def test_a_description_that_a_killed_writer_left_alone_is_written_over(half):
    write(half, FULL)
    half.unlink()
    write(half, OTHER, "numpy-tril", overwrite=False)
    assert np.array_equal(vech.read(half).expand(), OTHER)


def test_a_link_leads_to_the_pair_that_is_changed(half, tmp_path):
    write(half, FULL)
    (tmp_path / "link.npy").symlink_to("half.npy")
    written(tmp_path / "link.npy", "full", OTHER)
    assert np.array_equal(np.load(half), OTHER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.npy", "link.npy"]


@pytest.mark.parametrize("old", [None, 0o644, 0o600])
def test_who_may_not_read_the_numbers_may_not_read_their_labels(tmp_path, old):
    path = tmp_path / "q.npy"
    labelled = vech.Packed(np.arange(3.0), labels=["ann", "bob"])
    vech.write(path, labelled)
    beside = path.with_name("q.npy.json")
    path.chmod(0o640)
    if old is None:
        beside.unlink()
    else:
        beside.chmod(old)
    vech.write(path, labelled)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(beside.stat().st_mode) == 0o640 & (0o777 if old is None else old)
    assert vech.read(path).labels == ("ann", "bob")
