"""Arrays of Zarr stores that zarr wrote, and halves that go into such stores."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import cases
import vech
from compare import assert_same_bits
from vech.io import FileFormatError

zarr = pytest.importorskip("zarr")

FULL = np.array([[4.0, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 0.5], [2, 0, 0.5, 6]])
S = vech.Packed(vech.pack(FULL))
N = 5


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.zarr"


def at(path, name):
    return f"{path}::{name}"


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
@pytest.mark.parametrize("dtype", ["?", "i1", "f4", ">f8", "c16"])
def test_a_half_that_we_wrote_reads_back_the_same(path, dtype, kind):
    layout = vech.as_layout("numpy-tril")
    if not cases.fits(layout, np.dtype(dtype), kind, N):
        return
    numbers = cases.half(dtype, layout, kind, N)
    written = vech.Packed(numbers, layout, kind=kind)
    vech.write(at(path, "/deep/down/cov"), written)
    got = vech.read(at(path, "deep/down/cov"), verify=True)
    assert (got.layout, got.kind, got.n, got.labels) == (layout, written.kind, N, None)
    assert_same_bits(got.half, numbers.astype(numbers.dtype.newbyteorder("=")))


@pytest.mark.parametrize(
    "labels", [list("abcü"), [1, 2, 3, 4], pd.date_range("2020", periods=4), [("x", 1), None, 2.5, ""]]
)
def test_labels_are_kept(path, labels):
    labelled = vech.Packed(S.half, labels=labels)
    vech.write(at(path, "half"), labelled)
    vech.io.expand(at(path, "full"), labelled)
    for name in ("half", "full"):
        assert vech.read(at(path, name)).labels == tuple(labels)


def test_zarr_reads_what_was_written(path):
    vech.write(at(path, "half"), S)
    vech.io.expand(at(path, "g/full"), vech.Packed(S.half, labels=list("abcd")))
    group = zarr.open_group(path, mode="r")
    assert np.array_equal(group["half"][...], S.half)
    assert np.array_equal(group["g/full"][...], FULL) and group["g/full"].attrs["labels"] == list("abcd")


@pytest.mark.parametrize("version", [2, 3])
def test_a_square_of_zarr_is_packed(path, version):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("g/full", data=FULL, chunks=(3, 2))
    group.create_array("g/full_labels", data=np.array([7, 8, 9, 10]))
    group.create_array("wide", data=np.zeros((2, 3)))
    got = vech.read(at(path, "g/full"))
    assert np.array_equal(got.expand(), FULL) and got.labels == (7, 8, 9, 10)
    assert np.array_equal(vech.io.pack(at(path, "/g/full"), "numpy-tril", use="upper").expand(), FULL)


def test_the_only_matrix_needs_no_name(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("m", data=FULL)
    assert vech.read(path).n == 4
    group.create_array("g/m", data=FULL)
    with fails("a.zarr: holds more than one dataset that could be a matrix: say a.zarr::/"):
        vech.read(path)
    assert vech.read(at(path, "g")).n == 4
    with pytest.raises(FileExistsError, match="exists and is no store of tiles, so it is not overwritten"):
        vech.write(path, S)


def test_what_else_a_store_holds_stays(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("other", data=FULL)
    for n in (3, 4):
        vech.write(at(path, "g/half"), vech.Packed(np.ones(vech.as_layout("vech").length(n))))
        assert vech.read(at(path, "g/half")).n == n
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        vech.write(at(path, "g/half"), S, overwrite=False)
    with pytest.raises(ValueError, match="is a group: choose the name of an array"):
        vech.write(at(path, "g"), S)
    assert np.array_equal(zarr.open_group(path, mode="r")["other"][...], FULL)
    assert sorted(os.listdir(path / "g")) == ["half", "zarr.json"]


def test_a_failure_leaves_the_array_as_it_was(path):
    vech.write(at(path, "half"), S)

    def stops(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vech.io.expand(at(path, "half"), vech.Packed(np.ones(3)), progress=stops)
    with pytest.raises(TypeError, match="a label is complex"):
        vech.write(at(path, "half"), vech.Packed(np.ones(1), labels=[1j]))
    assert np.array_equal(vech.read(at(path, "half")).half, S.half)
    assert sorted(os.listdir(path)) == ["half", "zarr.json"]


def test_an_array_that_cannot_take_its_name_leaves_the_old_one(path, monkeypatch):
    vech.write(at(path, "half"), S)
    rename = os.rename

    def fails_once(source, target):
        if ".new." in str(source):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(OSError, match="No space left"):
        vech.write(at(path, "half"), vech.Packed(np.ones(3)))
    assert np.array_equal(vech.read(at(path, "half")).half, S.half)
    assert sorted(os.listdir(path)) == ["half", "zarr.json"]


def test_what_a_killed_writer_left_is_put_right(path):
    vech.write(at(path, "half"), S)
    (path / "half").rename(path / ".half.old.0123abcd.tmp")
    (path / ".half.new.0123abcd.tmp").mkdir()
    with pytest.raises(FileExistsError):
        vech.write(at(path, "half"), S, overwrite=False)
    assert np.array_equal(vech.read(at(path, "half")).half, S.half)
    assert sorted(os.listdir(path)) == ["half", "zarr.json"]


def test_numbers_that_others_changed_are_noticed(path):
    vech.write(at(path, "half"), S)
    zarr.open_group(path, mode="a")["half"][3] = 7
    with fails("has digests of other numbers"):
        vech.read(at(path, "half"))


def test_what_is_no_matrix(path, tmp_path):
    group = zarr.open_group(path, mode="w")
    group.create_array("wide", data=np.zeros((2, 3)))
    group.create_array("dates", data=np.zeros((2, 2), "M8[s]"))
    group.create_array("odd", data=FULL, attributes={"labels": ["a", "b"]})
    group.create_array("list", data=FULL, attributes={"labels": "abcd"})
    group.create_array("meta", data=np.arange(10.0), attributes={"vech_meta": 5})
    (path / "broken").mkdir()
    (path / "broken" / "zarr.json").write_text("[" * 100_000)
    for name, words in {
        "wide": "has shape (2, 3): one square matrix (n, n) or one half (length,) fits",
        "dates": "holds what vech does not take: datetime64[s]",
        "odd": "there are 2 labels for 4 rows",
        "list": "has labels that are no list",
        "meta": "has an attribute vech_meta that is no text",
        "broken": "is no Zarr array that vech reads",
        "none": "holds no Zarr array or group",
        "../other": "leads out of a.zarr",
    }.items():
        with fails(words):
            vech.read(at(path, name))
    with pytest.raises(ValueError, match=r"leads out of a.zarr"):
        vech.write(at(path, "../other"), S)
    with pytest.raises(FileNotFoundError, match="no such folder, and a Zarr store is one"):
        vech.read(tmp_path / "none.zarr")


def test_folders_of_others_are_left_alone(path):
    path.mkdir()
    (path / "file").touch()
    with pytest.raises(FileExistsError, match="exists and is no Zarr group"):
        vech.write(at(path, "half"), S)
    assert os.listdir(path) == ["file"]


def test_a_store_of_the_older_format_is_read_alone(path):
    zarr.open_group(path, mode="w", zarr_format=2)
    with pytest.raises(ValueError, match="is a store of Zarr's format 2, and vech writes format 3"):
        vech.write(at(path, "half"), S)


def test_a_missing_library_is_named():
    code = "import sys; sys.modules['zarr'] = None; import vech; vech.read('a.zarr::/x')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: Zarr stores need zarr: pip install "vech[zarr]"' in run.stderr


def test_a_store_of_tiles_has_no_layout(tmp_path):
    vech.tiled.write(tmp_path / "S.zarr", vech.Packed(np.ones(3)))
    with pytest.raises(
        vech.io.FileFormatError, match=r"S.zarr: is in tiles, which has no layout: leave layout="
    ):
        vech.read(tmp_path / "S.zarr", layout="vech")


def test_arrays_that_were_never_written_are_not_filled(tmp_path):
    root = zarr.create_group(tmp_path / "h.zarr")
    root.create_array("x", shape=(20_000, 20_000), chunks=(100, 100), dtype="f8")
    with fails("bytes, and its array x of shape (20000, 20000) would be filled"):
        vech.read(tmp_path / "h.zarr::x")
    root.create_array("y", shape=(4, 4), chunks=(2, 2), dtype="f8")
    assert not vech.read(tmp_path / "h.zarr::y").half.any()
    partly = root.create_array("z", shape=(2000, 2000), chunks=(100, 100), dtype="f8")
    partly[:100, :100] = np.eye(100)
    assert vech.read(tmp_path / "h.zarr::z").trace() == 100
    root.create_array("y_labels", shape=(10**9,), chunks=(100,), dtype="i8")
    with fails("bytes, and its array y_labels of shape (1000000000,) would be filled"):
        vech.read(tmp_path / "h.zarr::y")
