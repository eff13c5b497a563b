"""Datasets of HDF5 files that h5py wrote, and halves that go into such files."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import cases
import reference
import vech
from compare import assert_same_bits
from vech.io import FileFormatError
from vech.io.info import summarize

h5py = pytest.importorskip("h5py")

FULL = np.array([[4.0, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 0.5], [2, 0, 0.5, 6]])
N = 5


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


@pytest.fixture
def file(path):
    with h5py.File(path, "w") as file:
        yield file


def at(path, name):
    return f"{path}::{name}"


@cases.each("kind", cases.STORE_KINDS)
@cases.each("dtype", ["?", "i1", "u8", "f2", "f4", "f8", ">f8", "c8", "c16"])
@cases.each("layout", ["vech", "numpy-tril", "condensed", vech.Layout("upper", "rows", diagonal="one")])
def test_a_half_that_we_wrote_reads_back_the_same(path, layout, dtype, kind):
    layout = vech.as_layout(layout)
    if not cases.fits(layout, np.dtype(dtype), kind, N):
        return
    numbers = cases.half(dtype, layout, kind, N)
    written = vech.Packed(numbers, layout, kind=kind)
    vech.write(at(path, "/deep/down/cov"), written)
    got = vech.read(at(path, "deep/down/cov"))
    assert (got.layout, got.kind, got.n, got.labels) == (layout, written.kind, N, None)
    assert_same_bits(got.half, numbers)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "ü", ""],
        ["a\0", "\ud800", "b", "c"],
        ["x" * 2000, "ü", "b", "c"],
        [1, 2, 3, 4],
        pd.date_range("2020", periods=4),
        [("x", 1), ("y", None), 2.5, True],
    ],
)
def test_labels_are_kept(path, labels):
    S = vech.Packed(vech.pack(FULL), labels=labels)
    vech.write(at(path, "half"), S)
    vech.io.expand(at(path, "full"), S)
    for name in ("half", "full"):
        assert vech.read(at(path, name)).labels == tuple(labels)
    vech.write(at(path, "half"), vech.Packed(vech.pack(FULL)))
    assert vech.read(at(path, "half")).labels is None


def test_text_labels_are_text_to_others(path):
    vech.write(at(path, "half"), vech.Packed(vech.pack(FULL), labels=list("abcd")))
    with h5py.File(path) as file:
        assert file["half_labels"].asstr()[...].tolist() == list("abcd")
        assert np.array_equal(file["half"], reference.pack(FULL, vech.as_layout("vech")))


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (3, 2), "compression": "gzip"}, {"chunks": (1, 4), "shuffle": True}]
)
def test_a_square_is_packed(file, path, options):
    file.create_dataset("g/full", data=FULL.astype(">f4"), **options)
    file.close()
    S = vech.read(at(path, "/g/full"))
    assert S.dtype == ">f4" and np.array_equal(S.expand(), FULL)
    assert np.array_equal(vech.io.pack(at(path, "g/full"), "numpy-tril", use="upper").expand(), FULL)


def test_a_square_that_is_not_symmetric_says_what_to_do(file, path):
    file["x"] = np.triu(FULL)
    file.close()
    with fails(
        "a.h5::/x: matrix is not symmetric: a[3, 0] is 0.0, but a[0, 3] is 2.0; "
        "vech.io.pack(path, use='lower')"
    ):
        vech.read(at(path, "/x"))


def test_labels_of_others(file, path):
    for name in ("attribute", "beside", "scale", "bytes"):
        file[name] = FULL
    file["attribute"].attrs["labels"] = list("abcd")
    file["bytes"].attrs["labels"] = np.array(["a", "b", "c", "d"], "S1")
    file["beside_labels"] = [1, 2, 3, 4]
    file["names"] = np.array(list("wxyz"), dtype=h5py.string_dtype())
    file["names"].make_scale()
    file["scale"].dims[0].attach_scale(file["names"])
    file.close()
    found = {name: vech.read(at(path, name)).labels for name in ("attribute", "beside", "scale", "bytes")}
    assert found == {
        "attribute": tuple("abcd"),
        "beside": (1, 2, 3, 4),
        "scale": tuple("wxyz"),
        "bytes": tuple("abcd"),
    }


def test_the_only_matrix_needs_no_name(file, path):
    file["g/m"], file["text"], file["wide"] = FULL, "text", np.zeros((2, 3))
    file.close()
    assert vech.read(path).n == 4
    with h5py.File(path, "r+") as again:
        again["h/m"] = FULL
    with fails("a.h5: holds more than one dataset that could be a matrix: say a.h5::/g/m, a.h5::/h/m"):
        vech.read(path)
    assert vech.read(at(path, "/h")).n == 4
    with pytest.raises(ValueError, match=r"a.h5: say the name of the dataset: a.h5::/matrix"):
        vech.write(path, vech.Packed(vech.pack(FULL)))


def test_a_bare_half_needs_its_layout(file, path):
    file["half"] = np.arange(6.0)
    file.close()
    with fails("holds 6 numbers and does not say which"):
        vech.read(at(path, "half"))
    assert vech.read(at(path, "half"), layout="condensed").n == 4


def test_what_else_a_file_holds_stays(file, path):
    file["other"] = FULL
    file.attrs["by"] = "h5py"
    file.close()
    path.chmod(0o640)
    for n in (3, 4):
        vech.write(at(path, "g/half"), vech.Packed(np.ones(vech.as_layout("vech").length(n))))
        assert vech.read(at(path, "g/half")).n == n
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        vech.write(at(path, "g/half"), vech.Packed(np.ones(3)), overwrite=False)
    vech.write(at(path, "g/more"), vech.Packed(np.ones(3)), overwrite=False)
    with pytest.raises(ValueError, match="is a group: choose the name of a dataset"):
        vech.write(at(path, "g"), vech.Packed(np.ones(3)))
    with h5py.File(path) as again:
        assert np.array_equal(again["other"], FULL) and again.attrs["by"] == "h5py"
        assert sorted(again["g"]) == ["half", "more"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(path.parent) == ["a.h5"]


def test_a_failure_leaves_the_file_as_it_was(path, monkeypatch):
    S = vech.Packed(vech.pack(FULL))
    vech.write(at(path, "half"), S)
    before = path.read_bytes()

    def stops(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vech.io.expand(at(path, "full"), S, progress=stops)
    with pytest.raises(TypeError, match="a label is complex"):
        vech.write(at(path, "half"), vech.Packed(np.ones(1), labels=[1j]))
    with pytest.raises(
        TypeError, match=r"datasets hold bool, integers, real and complex numbers, not datetime64\[s\]"
    ):
        vech.write(at(path, "half"), vech.Packed(np.zeros(1, "M8[s]")))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.h5"]


def test_numbers_that_others_changed_are_noticed(path):
    vech.write(at(path, "half"), vech.Packed(vech.pack(FULL)))
    assert vech.read(at(path, "half"), verify=True).n == 4
    with h5py.File(path, "r+") as file:
        file["half"][3] = 7
    with fails("has digests of other numbers"):
        vech.read(at(path, "half"))


def test_large_datasets_are_mapped_where_they_lie_as_they_are(file, path, monkeypatch):
    monkeypatch.setattr("vech.io.hdf5.MAP_FROM", 8)
    file["plain"] = np.arange(10.0)
    file.create_dataset("packed", data=np.arange(10.0), chunks=(5,), compression="gzip")
    file.close()
    plain, packed = (vech.read(at(path, name), layout="vech").half for name in ("plain", "packed"))
    assert isinstance(plain, np.memmap) and not plain.flags.writeable and not isinstance(packed, np.memmap)
    assert np.array_equal(plain, packed) and np.array_equal(plain, np.arange(10.0))


def test_what_is_no_matrix(file, path, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["m"] = FULL
    file["wide"], file["cube"], file["one"] = np.zeros((2, 3)), np.zeros((2, 2, 2)), 5.0
    file["text"], file["table"] = ["a", "b"], np.zeros(3, [("x", "f8")])
    file["away"] = h5py.ExternalLink("other.h5", "/m")
    (tmp_path / "raw").write_bytes(FULL.tobytes())
    file.create_dataset("raw", (4, 4), "f8", external=[(str(tmp_path / "raw"), 0, 128)])
    layout = h5py.VirtualLayout((4, 4), "f8")
    layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "m", (4, 4))
    file.create_virtual_dataset("virtual", layout)
    file.create_dataset("huge", (10**6, 10**6), "f8", chunks=(10, 10))
    file["odd"] = FULL
    file["odd"].attrs["labels"] = ["a", "b"]
    file["meta"] = np.arange(10.0)
    file["meta"].attrs["vech_meta"] = (
        '{"vech": 1, "layout": "vech", "kind": "symmetric", "n": 3, "dtype": "<f8"}'
    )
    file["type"] = np.dtype("f8")
    file["empty"] = h5py.Empty("f8")
    file.close()
    for name, words in {
        "wide": "has shape (2, 3): one square matrix (n, n) or one half (length,) fits",
        "cube": "has shape (2, 2, 2)",
        "one": "has shape ()",
        "text": "holds what vech does not take: object",
        "table": "holds what vech does not take: [('x', '<f8')]",
        "away": "has the numbers of /away in another file, which vech does not follow",
        "raw": "has the numbers of /raw in another file",
        "virtual": "has the numbers of /virtual in another file",
        "huge": "and its dataset /huge of shape (1000000, 1000000) would be filled",
        "odd": "there are 2 labels for 4 rows",
        "meta": "says n=3, so an array of shape (6,), and the array has shape (10,)",
        "type": "has no array of numbers at /type",
        "empty": "has no array of numbers at /empty",
        "none": "has no dataset /none",
        "wide/none": "has no dataset /wide/none",
    }.items():
        with fails(words):
            vech.read(at(path, name))


def test_what_is_no_hdf5_file(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with fails("a.h5: cannot be opened by h5py: "):
        vech.read(path)
    with pytest.raises(ValueError, match=r"a.h5::x: cannot be written by h5py"):
        vech.write(at(path, "x"), vech.Packed(np.ones(1)))
    with pytest.raises(FileNotFoundError):
        vech.read(path.with_name("none.h5"))


def test_a_file_that_is_open_elsewhere_says_so(file, path):
    with pytest.raises(FileFormatError, match=r"cannot be opened by h5py: .*open"):
        vech.read(path)


def test_a_missing_library_is_named(path):
    code = "import sys; sys.modules['h5py'] = None; import vech; vech.read('a.h5')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: HDF5 files need h5py: pip install "vech[hdf5]"' in run.stderr


@pytest.mark.parametrize(("dtype", "way"), [("longdouble", "float64"), ("clongdouble", "complex128")])
def test_long_doubles_are_refused_as_in_any_file(path, dtype, way):
    with h5py.File(path, "w") as file:
        for name, array in {"full": np.eye(3), "half": np.arange(6.0), "wide": np.ones((2, 3))}.items():
            file[name] = array.astype(dtype)
    np.save(path.with_suffix(".npy"), np.eye(3, dtype=dtype))
    said = (
        f"holds what vech does not take, dtype {np.dtype(dtype)} differs between machines: "
        f"write the file anew with {way}"
    )
    for file in (*(at(path, name) for name in ("full", "half", "wide")), path.with_suffix(".npy")):
        for ask in (vech.read, lambda file: summarize(vech.io.examine(file))):
            with fails(said):
                ask(file)
