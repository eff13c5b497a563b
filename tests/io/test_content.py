"""Content, which every file format loads; which format a path has; what one cannot do, and says so."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse

import vech
import vech.io
from vech.io.content import Abilities, Content

LABELLED = vech.Packed(np.arange(6.0), labels="abc")


@pytest.mark.parametrize(
    ("content", "holds", "n", "is_half"),
    [
        (Content.of_store(LABELLED), "store", 3, True),
        (Content.of_store(vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4).tocsr())), "store", 4, False),
        (Content.of_array(np.zeros(6)), "half", None, True),
        (Content.of_array(np.zeros((2, 2))), "full", 2, False),
        (Content.of_sparse(scipy.sparse.eye_array(5)), "sparse", 5, False),
    ],
)
def test_content_says_what_it_is(content, holds, n, is_half):
    assert (content.holds, content.n, content.is_half, content.dtype) == (holds, n, is_half, "f8")


def test_content_of_a_store_says_what_the_store_says():
    content = Content.of_store(LABELLED)
    assert (content.labels, content.kind) == (("a", "b", "c"), "symmetric")


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 2), ()])
def test_only_one_square_matrix_or_one_half_is_content(shape):
    with pytest.raises(
        ValueError, match=re.escape(f"has shape {shape}: one square matrix (n, n) or one half")
    ):
        Content.of_array(np.zeros(shape))


def test_examine_gives_what_load_gives(tmp_path):
    path = tmp_path / "a.npz"
    vech.write(path, LABELLED)
    assert (
        vech.io.examine(path).numbers.half.tolist() == vech.io.load(path).half.tolist() == [0, 1, 2, 3, 4, 5]
    )
    assert vech.io.examine(path).labels == ("a", "b", "c")


# ---- which file format -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("a.npy", ".npy"),
        ("b/a.two.NPZ", ".npz"),
        ("a.thing", ".thing"),
        ("a.thing.npy", ".npy"),
        ("a.npy.thing", ".npy.thing"),
        ("a.x.thing", ".thing"),
        ("a.NPY.thing::/group/matrix.mtx", ".npy.thing"),
        (".npy", ""),
        ("a.unknown", ".unknown"),
        ("folder.npy/a", ""),
    ],
)
def test_the_longest_suffix_counts(monkeypatch, path, suffix):
    monkeypatch.setattr(vech.io, "FORMATS", vech.io.FORMATS | {".thing": "npy", ".npy.thing": "npz"})
    assert vech.io.suffix_of(Path(path)) == suffix


def form(monkeypatch, **can):
    """A file format that can only that."""
    module = ModuleType("vech.io.thing")
    module.CAN = Abilities(**can)
    module.load = lambda path, **options: Content.of_array(
        np.eye(3), labels=tuple("abc"), kind="skew", **options
    )
    monkeypatch.setitem(sys.modules, "vech.io.thing", module)
    monkeypatch.setattr(vech.io, "FORMATS", vech.io.FORMATS | {".thing": "thing"})


def test_what_is_only_read_says_so(monkeypatch, tmp_path):
    form(monkeypatch, write=())
    with pytest.raises(ValueError, match=r"a\.thing: \.thing is read and not written: write \.npy, \.npz"):
        vech.write(tmp_path / "a.thing", LABELLED)
    with pytest.raises(ValueError, match=r"a\.thing: \.thing is not for full matrices: write \.npy, \.npz"):
        vech.io.expand(tmp_path / "a.thing", LABELLED)


def test_options_go_to_the_formats_that_have_them(monkeypatch, tmp_path):
    (tmp_path / "a.thing").touch()
    form(monkeypatch, options=("layout",))
    content = vech.io.examine(tmp_path / "a.thing", layout=vech.as_layout("condensed"))
    assert content.layout == vech.as_layout("condensed")
    for call in (vech.read, vech.io.pack, vech.io.load, vech.io.examine):
        with pytest.raises(TypeError, match=r"a\.thing: \.thing has no colour=: leave it out"):
            call(tmp_path / "a.thing", colour="red")


def test_a_folder_is_a_file_where_the_format_says_so(monkeypatch, tmp_path):
    form(monkeypatch, folders=True)
    (tmp_path / "a.thing").mkdir()
    assert vech.io.load(tmp_path / "a.thing").shape == (3, 3)


def test_what_a_file_says_of_a_full_matrix_is_kept_and_must_agree(monkeypatch, tmp_path):
    path = tmp_path / "a.thing"
    path.touch()
    form(monkeypatch)
    module = sys.modules["vech.io.thing"]
    full = np.array([[0.0, 2, 3], [-2, 0, 5], [-3, -5, 0]])
    module.load = lambda path: Content("full", full, tuple("abc"), "skew", vech.as_layout("condensed"))
    store = vech.read(path)
    assert (store.layout.name, store.kind, store.labels) == ("condensed", "skew", ("a", "b", "c"))
    assert vech.read(path, layout="strict-triu").layout.name == "strict-triu"
    assert vech.io.pack(path).kind == "skew" and vech.io.pack(path).labels == ("a", "b", "c")
    for call in (vech.read, vech.io.pack):
        with pytest.raises(vech.io.FileFormatError, match="has kind skew, and kind=symmetric was asked for"):
            call(path, kind="symmetric")


@pytest.mark.parametrize("suffix", [".bin", ".mtx"])
def test_labels_are_not_dropped(tmp_path, suffix):
    message = f"a{suffix}: {suffix} has no place for labels: write .npy, .npz"
    with pytest.raises(ValueError, match=re.escape(message)):
        vech.write(tmp_path / f"a{suffix}", LABELLED)
    assert list(tmp_path.iterdir()) == []
