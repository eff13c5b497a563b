"""`vech.read`, `vech.write` and their kin: which file format, which arguments, which errors."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech.io import FORMATS, FileFormatError

SUFFIXES = list(FORMATS)
WRITTEN = [suffix for suffix in FORMATS if vech.io.file_format(Path(f"a{suffix}")).CAN.write]


def sparse_half():
    return vech.SparseHalf([0, 1, 2, 2], [0, 1], [1.0, 2.0], 3, triangle="lower")


IMPLIED = {"phy": 0.0, "phylip": 0.0, "king": 0.0, "dist": 0.0, "mdist": 0.0, "mibs": 1.0}
"""What the diagonals are of triangles without one."""

LIBRARIES = {".h5": "h5py", ".hdf5": "h5py", ".zarr": "zarr", ".parquet": "pyarrow", ".feather": "pyarrow"}
LIBRARIES |= {".xlsx": "openpyxl", ".xlsm": "openpyxl"}
LIBRARIES |= dict.fromkeys((".cool", ".mcool", ".scool"), "h5py")
LIBRARIES |= dict.fromkeys(CORRELATIONS := (".ld.zarr", ".zip"), "numcodecs")


@cases.each("suffix", list(WRITTEN))
@cases.each("case", [str.lower, str.upper])
def test_each_suffix_takes_a_half(tmp_path, suffix, case):
    if suffix in LIBRARIES:
        pytest.importorskip(LIBRARIES[suffix])
    inside = "::/m" if suffix in (".h5", ".hdf5", ".zarr") else ""
    path = f"{tmp_path}/half{case(suffix)}{inside}"
    half = np.arange(6.0, dtype="f4" if suffix.startswith(".grm") else "f8")
    half[[0, 3, 5]] = IMPLIED.get(suffix.split(".")[1], half[[0, 3, 5]])
    if suffix in CORRELATIONS:
        half[:] = [1, -1, 0, 1, 1, 1]
    labels = [("c", k, k + 1) for k in range(3)] if suffix == ".cool" else list("abc")
    labels = labels if vech.io.file_format(Path(f"a{suffix}")).CAN.labels else None
    vech.write(path, vech.Packed(half, labels=labels))
    arguments = {"dtype": "f8", "layout": "vech"} if suffix == ".bin" else {}
    S = vech.read(path, **arguments)
    assert S.to_packed("vech").half.tolist() == half.tolist() and S.labels == (labels and tuple(labels))


def test_labels_are_never_left_out_in_silence(tmp_path):
    S = vech.Packed(np.arange(6.0), labels=list("abc"))
    for suffix in WRITTEN:
        can = vech.io.file_format(Path(f"a{suffix}")).CAN
        if not can.labels:
            words = f"{suffix} has no place for labels: write .npy, .npz, "
            with pytest.raises(ValueError, match=re.escape(words)):
                vech.write(tmp_path / f"a{suffix}", S)
        if can.expand and not can.full_labels:
            words = f"a full matrix in {suffix} has no place for labels, which are left out: "
            with pytest.warns(UserWarning, match=re.escape(words)):
                vech.io.expand(tmp_path / f"a{suffix}", S)
        elif can.expand and suffix not in LIBRARIES and "phy" not in suffix and "grm" not in suffix:
            vech.io.expand(tmp_path / f"a{suffix}", S)
            assert vech.read(tmp_path / f"a{suffix}").labels == S.labels, suffix


@pytest.mark.parametrize("name", ["half.docx", "half", "half.npy.gz", ".npy"])
def test_an_unknown_suffix_is_told_usual_or_near_ones(tmp_path, name):
    path = tmp_path / name
    path.touch()
    said = (
        f"{name}: no suffix says which file format"
        if "." not in name[1:]
        else f"{name}: the suffix '{path.suffix}' is of no file format"
    )
    for call in (
        lambda: vech.read(path),
        lambda: vech.write(path, vech.Packed(np.arange(6.0))),
        lambda: vech.io.expand(path, vech.Packed(np.arange(6.0))),
        lambda: vech.io.pack(path),
    ):
        with pytest.raises(
            ValueError, match=re.escape(f"{said}: ") + "(choose from .npy, .npz, .mtx, |did you mean )"
        ):
            call()


@cases.each("suffix", list(SUFFIXES))
def test_a_file_that_is_not_there(tmp_path, suffix):
    if suffix in LIBRARIES:
        pytest.importorskip(LIBRARIES[suffix])
    with pytest.raises(FileNotFoundError):
        vech.read(tmp_path / f"none{suffix}", dtype="f8", layout="vech")


@cases.each("suffix", [name for name in SUFFIXES if name not in (".zarr", ".bm", *CORRELATIONS)])
def test_a_folder_is_no_file(tmp_path, suffix):
    path = tmp_path / f"folder{suffix}"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        vech.read(path, dtype="f8", layout="vech")


def test_an_unknown_layout_or_kind(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0))
    with pytest.raises(ValueError, match="unknown layout 'vecj': did you mean 'vech'"):
        vech.read(tmp_path / "a.npy", layout="vecj")
    with pytest.raises(ValueError, match="unknown kind 'symetric'"):
        vech.read(tmp_path / "a.npy", layout="vech", kind="symetric")


def test_triangular_matrices_have_no_store(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0))
    with pytest.raises(ValueError, match="triangular"):
        vech.read(tmp_path / "a.npy", layout="vech", kind="triangular")


@pytest.mark.parametrize("store", [np.arange(6.0), [1, 2, 3], None])
def test_only_stores_are_written(tmp_path, store):
    with pytest.raises(TypeError, match=re.escape("write takes a store, not ") + ".*vech.Packed"):
        vech.write(tmp_path / "a.npy", store)


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("a.npy", "csr", "a.npy cannot hold csr: .npy is for dense, and csr goes to .npz, .mtx"),
        (
            "a.npz",
            "dense",
            "a.npz cannot hold dense: .npz is for csr, csc, and dense goes to .npy, .bin, .mtx",
        ),
        ("a.npz", "coo", "to='coo' is none of 'dense', 'csr', 'csc'"),
    ],
)
def test_a_suffix_that_contradicts(tmp_path, name, to, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        vech.io.expand(tmp_path / name, vech.Packed(np.arange(6.0)), to=to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["csr", "csc", None])
@pytest.mark.parametrize("store", [vech.Packed(np.array([1.0, 2, 0, 0, 5, 0])), sparse_half()])
def test_expand_writes_the_npz_of_scipy(tmp_path, to, store):
    vech.io.expand(tmp_path / "a.npz", store, to=to)
    got = scipy.sparse.load_npz(tmp_path / "a.npz")
    assert got.format == (to or "csr")
    assert isinstance(got, scipy.sparse.sparray)
    assert np.array_equal(got.toarray(), store.expand())


# ---- pack --------------------------------------------------------------------------------------------------

LOPSIDED = np.array([[1.0, 2, 0], [9, 3, 4], [0, 4, 5]])


@pytest.mark.parametrize(
    ("use", "expected"),
    [("lower", [1, 9, 0, 3, 4, 5]), ("upper", [1, 2, 0, 3, 4, 5]), ("mean", [1, 5.5, 0, 3, 4, 5])],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".bin", ".mtx"])
def test_pack_takes_full_matrices_of_every_file(tmp_path, use, expected, suffix):
    path = tmp_path / f"full{suffix}"
    if suffix == ".npy":
        np.save(path, LOPSIDED)
    elif suffix == ".bin":
        LOPSIDED.tofile(path)
    elif suffix == ".npz":
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(LOPSIDED))
    else:
        scipy.io.mmwrite(path, scipy.sparse.csr_array(LOPSIDED))
    arguments = {"dtype": "f8", "n": 3} if suffix == ".bin" else {}
    assert vech.io.pack(path, use=use, **arguments).half.tolist() == expected
    with pytest.raises(ValueError, match=r"9\.0"):
        vech.io.pack(path, **arguments)
    vech.io.pack(path, tolerance=7, **arguments)


def test_pack_takes_a_sparse_half(tmp_path):
    vech.write(tmp_path / "a.npz", sparse_half())
    assert vech.io.pack(tmp_path / "a.npz", "numpy-tril").half.tolist() == [1, 0, 2, 0, 0, 0]


def test_pack_refuses_a_half(tmp_path):
    vech.write(tmp_path / "a.npy", vech.Packed(np.arange(6.0)))
    with pytest.raises(FileFormatError, match=r"holds a half, and a full matrix was wanted: vech\.convert"):
        vech.io.pack(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.arange(6.0))
    with pytest.raises(FileFormatError, match=r"holds a half, and a full matrix was wanted: vech\.convert"):
        vech.io.pack(tmp_path / "b.npy")


def test_pack_checks_dtype_and_n(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3))
    with pytest.raises(FileFormatError, match="has n 3, and n=4 was asked for"):
        vech.io.pack(tmp_path / "a.npy", n=4)
    with pytest.raises(FileFormatError, match="has dtype <f8, and dtype=<f4 was asked for"):
        vech.io.pack(tmp_path / "a.npy", dtype="f4")


def test_importing_io_loads_no_scipy():
    script = "import sys, vech.io; assert not {'scipy', 'click', 'rich', 'zipfile'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_packing_a_sparse_half_keeps_what_is_said_about_it(tmp_path):
    path = tmp_path / "half.npz"
    vech.write(path, vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower", labels="ab"))
    packed = vech.io.pack(path)
    assert packed.half.tolist() == [1, 2, 0] and packed.labels == ("a", "b")
    with pytest.raises(FileFormatError, match="has kind symmetric, and kind=skew was asked for"):
        vech.io.pack(path, kind="skew")


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "int4", "uint4"])
def test_names_of_ml_dtypes_are_known_in_a_new_process(name):
    pytest.importorskip("ml_dtypes")
    program = f"from vech.io.dtypes import as_dtype; print(as_dtype({name!r}).name)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == name, done.stderr
