"""LD stores that magenpy wrote, those that it reads, and stores that lie."""

import io
import json
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import vech
from compare import assert_same_bits
from vech.io import FileFormatError, magenpy, zarr_vectors

numcodecs = pytest.importorskip("numcodecs")

DATA = Path(__file__).parent / "data" / "magenpy.zip"
NAMES = ("int8", "int16", "float32", "float64", "resized", "chr_22.zip")
IDS = tuple(f"rs{10 + k}" for k in range(9))


def fails(message, error=FileFormatError):
    return pytest.raises(error, match=re.escape(message))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("magenpy")
    with zipfile.ZipFile(DATA) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def store(folders, tmp_path):
    return shutil.copytree(folders / "int8", tmp_path / "x.ld.zarr")


def test_a_store_that_is_replaced_while_it_is_read_is_read_again(folders, store, tmp_path, monkeypatch):
    labels, moments = magenpy.Windows.labels, iter([True])

    def replaced_meanwhile(held):
        if next(moments, False):
            store.rename(tmp_path / "old")
            shutil.copytree(folders / "resized", store)
        return labels(held)

    monkeypatch.setattr(magenpy.Windows, "labels", replaced_meanwhile)
    assert_same_bits(vech.read(store).expand(), vech.read(folders / "resized").expand())


def expected(folders, name):
    """The full matrix, as magenpy's own to_csr gave it."""
    return np.load(folders / f"{name.removesuffix('.zip')}.npy")


def correlations(folders):
    found = np.maximum(R := np.load(folders / "correlations.npy"), R.T)
    np.fill_diagonal(found, 1)  # which it is but for rounding
    return found


def numbers(path, name):
    """A vector of one chunk, unpacked without anything of vech."""
    header = json.loads((path / name / ".zarray").read_text())
    found = numcodecs.Blosc().decode((path / name / "0").read_bytes())
    return np.frombuffer(found, header["dtype"])[: header["shape"][0]]


def texts_or_numbers(path, name):
    header = json.loads((path / name / ".zarray").read_text())
    if not header["filters"]:
        return numbers(path, name)
    found = numcodecs.Blosc().decode((path / name / "0").read_bytes())
    return numcodecs.VLenUTF8().decode(found)


def change(path, name, **what):
    header = json.loads((path / name / ".zarray").read_text()) | what
    (path / name / ".zarray").write_text(json.dumps(header))


def put(path, name, values):
    values = np.asarray(values)
    (path / name / "0").write_bytes(numcodecs.Blosc().encode(values))
    change(path, name, shape=[len(values)], chunks=[len(values)], dtype=values.dtype.str)


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_the_upper_triangle_that_magenpy_gives(folders, name):
    S = vech.read(folders / name)
    full = expected(folders, name)
    assert isinstance(S, vech.SparseHalf) and (S.triangle, S.dtype) == ("upper", full.dtype)
    assert S.labels == (None if name == "resized" else IDS)
    assert_same_bits(S.expand(), full)


def test_what_is_written_again_is_what_magenpy_wrote(folders, tmp_path):
    for name in ("int8", "int16", "float32", "float64"):
        out, given = tmp_path / f"{name}.ld.zarr", folders / name
        vech.write(out, vech.read(given), encoding=name, variants=vech.io.read_variants(given))
        vectors = [path.parent.relative_to(given) for path in given.rglob(".zarray")]
        assert len(vectors) == 9
        for vector in vectors:
            found, kept = (texts_or_numbers(path, vector) for path in (out, given))
            assert np.array_equal(found, kept) and found.dtype == kept.dtype
        assert json.loads((out / ".zattrs").read_text()) == json.loads((given / ".zattrs").read_text())
        assert sorted(path.relative_to(out) for path in out.rglob("*")) == sorted(
            path.relative_to(given) for path in given.rglob("*")
        )


@pytest.mark.parametrize("name", ["chr_22.zip", "x.ld.zarr"])
@pytest.mark.parametrize("make", [vech.pack, scipy.sparse.csr_array], ids=["dense", "sparse"])
def test_a_correlation_is_stored_as_the_nearest_multiple(folders, tmp_path, make, name):
    R = correlations(folders)
    S = vech.SparseHalf.from_sparse(make(R)) if make is not vech.pack else vech.Packed(make(R))
    for encoding, most in (("int8", 127), ("int16", 32767)):
        vech.write(tmp_path / name, S, encoding=encoding)
        T = vech.read(tmp_path / name)
        assert_same_bits(T.expand(), np.round(R * most).astype(encoding).astype("f4") / np.float32(most))


def test_windows_and_thresholds_leave_numbers_out(folders, tmp_path):
    R, path = correlations(folders), tmp_path / "x.ld.zarr"
    apart = abs(np.subtract.outer(range(9), range(9)))
    for S in (vech.Packed(vech.pack(R)), vech.SparseHalf.from_sparse(scipy.sparse.csr_array(R))):
        vech.write(path, S, window=2, encoding="float64")
        assert np.array_equal(vech.read(path).expand(), np.where(apart <= 2, R, 0))
        assert numbers(path, "matrix/data").size == 7 + 8
        vech.write(path, S, threshold=0.3, encoding="float64")
        assert np.array_equal(vech.read(path).expand(), np.where(abs(R) >= 0.3, R, 0))
        row = np.flatnonzero(abs(R[0]) >= 0.3)[-1]
        assert np.diff(numbers(path, "matrix/indptr"))[0] == row  # up to the last that is kept
        vech.write(path, S, window=0)
        assert np.array_equal(vech.read(path).expand(), np.eye(9))


def test_zeros_that_a_sparse_store_holds_stay_in_the_window(folders, tmp_path):
    S = vech.read(folders / "int8")
    S.data[:] = np.where(S.data == 1, 1, 0)
    vech.write(tmp_path / "x.ld.zarr", S)
    assert np.array_equal(vech.read(tmp_path / "x.ld.zarr").indptr, S.indptr)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_stores_go_there_and_back(tmp_path, n):
    S = vech.Packed(vech.pack(np.eye(n)), labels=[f"rs{k}" for k in range(n)])
    for name in ("x.ld.zarr", "x.zip"):
        vech.write(tmp_path / name, S)
        T = vech.read(tmp_path / name)
        assert np.array_equal(T.expand(), np.eye(n)) and T.labels == S.labels


def test_rows_fill_chunks_one_after_the_other(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(magenpy, "CHUNK", 5)
    monkeypatch.setattr(magenpy, "PANEL", 100)
    S, path = vech.read(folders / "int8"), tmp_path / "x.ld.zarr"
    vech.write(path, S)
    assert sorted(file.name for file in (path / "matrix/data").iterdir()) == [".zarray", *"01234"]
    T = vech.read(path)
    assert np.array_equal(T.data, S.data) and np.array_equal(T.indices, S.indices)


@pytest.mark.parametrize("make", [vech.SparseHalf.from_sparse, lambda R: vech.Packed.from_full(R.toarray())])
def test_windows_end_within_panels(folders, tmp_path, monkeypatch, make):
    monkeypatch.setattr(magenpy, "PANEL", 100)
    R = correlations(folders)
    vech.write(tmp_path / "x.ld.zarr", make(scipy.sparse.csr_array(R)), window=3, encoding="float64")
    near = abs(np.subtract.outer(range(9), range(9))) <= 3
    assert np.array_equal(vech.read(tmp_path / "x.ld.zarr").expand(), np.where(near, R, 0))


def test_what_a_store_says_of_its_rows_goes_with_them(folders, tmp_path):
    variants = vech.io.read_variants(folders / "int8")
    assert variants.about["Sample size"] == 40 and variants.columns["a2"][3] == "GATTACA"
    assert sorted(variants.columns) == ["a1", "a2", "bp", "cm", "ldscore", "maf", "snps"]
    taken, path = [7, 3, 4], tmp_path / "x.ld.zarr"
    S = vech.read(folders / "int8").submatrix(taken)
    vech.write(path, S, variants=variants)
    found = vech.io.read_variants(path)
    for name, column in variants.columns.items():
        assert np.array_equal(found.columns[name], column[taken])
    assert found.about == variants.about
    with fails("no variant is 'rs99', which is a label of the store", ValueError):
        vech.write(path, S.with_labels(["rs99", "rs13", "rs14"]), variants=variants)
    with fails("variants have 9 a1 for 3 rows", ValueError):
        vech.write(path, S.with_labels(None), variants={"a1": ["A"] * 9})


def test_a_frame_says_what_rows_are(folders, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"bp": [5, 6], "a1": ["A", "C"]})
    vech.write(tmp_path / "x.zip", vech.Packed([1.0, 0.5, 1.0], labels=["rs1", "rs2"]), variants=frame)
    columns = vech.io.read_variants(tmp_path / "x.zip").columns
    assert columns["bp"].tolist() == [5, 6] and columns["snps"].tolist() == ["rs1", "rs2"]


@pytest.mark.parametrize("name", ["int8", "chr_22.zip"])
def test_a_large_store_is_read_tile_by_tile(folders, name, monkeypatch):
    monkeypatch.setattr(magenpy, "memory_limit", lambda: 0)
    monkeypatch.setattr(magenpy, "TILE", 4)
    T = vech.read(folders / name)
    full = expected(folders, name)
    assert isinstance(T, vech.tiled.store.Tiled) and T.labels == IDS
    assert_same_bits(T.expand(), full)
    assert np.allclose(T @ np.arange(9.0), full @ np.arange(9.0))
    again = pickle.loads(pickle.dumps(T))
    assert_same_bits(again.block([3, 0], [5, 1]), full[np.ix_([3, 0], [5, 1])])


def test_a_store_may_have_any_name_and_lie_in_a_folder_of_an_archive(folders, tmp_path):
    shutil.copytree(folders / "int8", tmp_path / "chr_22")
    shutil.copytree(folders / "int8", tmp_path / "chr_22.zarr")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in (tmp_path / "chr_22").rglob("*"):
            archive.write(file, Path("chr_22") / file.relative_to(tmp_path / "chr_22"))
    for name in ("chr_22", "chr_22.zarr", "a.zip"):
        assert np.array_equal(vech.read(tmp_path / name).expand(), expected(folders, "int8"))


@pytest.mark.parametrize(
    ("full", "options", "error", "message"),
    [
        ([[1, 0.5], [0.5, 1.25]], {}, ValueError, "has 1.25 at (1, 1), and the diagonal of an LD store is"),
        ([[1, 1.25], [1.25, 1]], {}, ValueError, "has 1.25 at (0, 1), and int8 is for correlations"),
        ([[1, np.nan], [np.nan, 1]], {"encoding": "int16"}, ValueError, "has nan at (0, 1), and int16 is"),
        (np.eye(2) * (1 + 0j), {}, TypeError, "holds real correlations, and this one is hermitian of"),
        (np.eye(2), {"encoding": "int4"}, ValueError, "unknown encoding 'int4': did you mean 'int8'"),
        (np.eye(2), {"window": -1}, ValueError, "window must be 0 variants at least, not -1"),
        (np.eye(2), {"threshold": 7}, ValueError, "threshold is of correlations, from 0 to 1, not 7"),
        (np.eye(2), {"variants": {"a/b": [1, 2]}}, ValueError, "a column 'a/b', and its name must be one"),
        (np.eye(2), {"variants": {"a1": ["A", None]}}, TypeError, "a1 of variants are text in an LD store"),
        (np.eye(2), {"variants": {"bp": [1, 2**31]}}, OverflowError, "bp up to 2,147,483,648, beyond 32"),
        (np.eye(2), {"tile": 4}, TypeError, ".ld.zarr is written without tile=: leave it out"),
    ],
)
def test_what_an_ld_store_does_not_hold_is_refused(tmp_path, full, options, error, message):
    full = np.asarray(full)
    S = vech.Packed(vech.pack(full, kind="hermitian"), kind="hermitian")
    assert S.kind == ("hermitian" if full.dtype == complex else "symmetric")
    with fails(message, error):
        vech.write(tmp_path / "x.ld.zarr", S, **options)
    assert not list(tmp_path.iterdir())


def test_nan_is_kept_where_numbers_are_floats(tmp_path):
    S = vech.Packed([1.0, np.nan, 1.0])
    vech.write(tmp_path / "x.ld.zarr", S, encoding="float32")
    assert np.isnan(vech.read(tmp_path / "x.ld.zarr")[0, 1])


def test_labels_are_text(tmp_path):
    with fails("snps of variants are text in an LD store, and one is 1: S.with_labels(str)", TypeError):
        vech.write(tmp_path / "x.ld.zarr", vech.Packed([1.0, 0.5, 1.0], labels=[1, "a"]))


def test_nothing_but_an_ld_store_is_overwritten(store, tmp_path):
    S = vech.Packed([1.0, 0.5, 1.0])
    with fails("exists: choose another name", FileExistsError):
        vech.write(store, S, overwrite=False)
    (store / "notes").touch()
    with fails("holds 'notes' beside its matrix, which would be lost", FileExistsError):
        vech.write(store, S)
    (tmp_path / "y.ld.zarr").mkdir()
    with fails("exists and is no LD store, so it is not overwritten", FileExistsError):
        vech.write(tmp_path / "y.ld.zarr", S)
    (store / "notes").unlink()
    vech.write(store, S)
    assert vech.read(store).n == 2 and sorted(p.name for p in tmp_path.iterdir()) == [
        "x.ld.zarr",
        "y.ld.zarr",
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: (s / "matrix/data/0").unlink(), "lacks matrix/data/0"),
        (lambda s: (s / "matrix/data/.zarray").write_text("{"), "is not JSON"),
        (lambda s: change(s, "matrix/data", dtype="<c8"), "matrix/data holds '<c8': integers, float32,"),
        (
            lambda s: change(s, "matrix/data", dtype="|u1"),
            "has matrix/data of uint8 and matrix/indptr of int64",
        ),
        (lambda s: change(s, "matrix/data", filters=[{"id": "pickle"}]), "matrix/data holds '|i1'"),
        (lambda s: change(s, "matrix/data", compressor={"id": "pickle"}), "packed by Blosc or not at all"),
        (lambda s: change(s, "matrix/data", zarr_format=3), "is no vector of Zarr's format 2"),
        (lambda s: change(s, "matrix/data", shape=[21, 1]), "matrix/data has shape [21, 1], and one length"),
        (lambda s: change(s, "matrix/data", chunks=[0]), "matrix/data has chunks [0], and one length fits"),
        (
            lambda s: change(s, "matrix/data", chunks=[2**40]),
            "it says 21 bytes, unpacked, and 1,099,511,627,776",
        ),
        (lambda s: change(s, "matrix/data", shape=[22]), "from 0 to 21, and 22 numbers"),
        (lambda s: change(s, "matrix/indptr", shape=[0]), "and integers, one more than rows, fit"),
        (lambda s: put(s, "matrix/indptr", [0, 2, 1, 21]), "has -1 numbers in row 1, and 0 to 1 are behind"),
        (lambda s: put(s, "matrix/indptr", [0, 21]), "has 21 numbers in row 0, and 0 to 0 are behind"),
        (lambda s: put(s, "matrix/data", np.array([-128] * 21, "i1")), "holds -128 at 0: codes go from -127"),
        (lambda s: put(s, "metadata/snps", np.arange(9)), "metadata/snps holds '<i8'"),
        (lambda s: change(s, "metadata/snps", shape=[8]), "has 8 metadata/snps of object, and 9 texts are"),
        (lambda s: (s / "matrix/data/0").write_bytes(b"abc"), "matrix/data/0 is damaged: it says 0 bytes"),
    ],
)
def test_a_store_that_lies_is_refused(store, spoil, message):
    spoil(store)
    with fails(message) as caught:
        vech.read(store)
    assert str(caught.value).startswith(str(store))


def texts(*parts):
    return numcodecs.Blosc().encode(b"".join(parts))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (texts(b"\xff\xff\xff\xff\x01\0\0\0a"), "metadata/snps is cut"),
        (texts(b"\x01\0\0\0\xff\0\0\0a"), "metadata/snps is cut"),
        (texts(b"\x01\0"), "metadata/snps is cut"),
        (texts(b"\x01\0\0\0\x01\0\0\0a"), "metadata/snps holds 1 texts, and 9 are needed"),
        (texts(b"\x01\0\0\0\x01\0\0\0\xff"), "metadata/snps holds what is no text in UTF-8"),
    ],
)
def test_texts_that_lie_are_refused(store, data, message):
    (store / "metadata/snps/0").write_bytes(data)
    with fails(message):
        vech.read(store)


def test_bytes_that_changed_are_refused(tmp_path):
    store = tmp_path / "x.ld.zarr"
    vech.write(store, vech.Packed(vech.pack(np.eye(300) + 0.5 - np.eye(300) / 2)))
    file = store / "matrix/indptr/0"
    data = bytearray(file.read_bytes())
    data[24:] = bytes(len(data) - 24)
    file.write_bytes(data)
    with fails("matrix/indptr/0 is damaged"):
        vech.read(store)


def test_a_link_that_leads_out_is_not_followed(store, folders):
    (store / "matrix/data/0").unlink()
    (store / "matrix/data/0").symlink_to(folders / "int8/matrix/data/0")
    with fails("has matrix/data/0, which leads out of it"):
        vech.read(store)


def test_archives_are_as_zarr_stores_them(folders, tmp_path):
    whole = (folders / "chr_22.zip").read_bytes()
    path = tmp_path / "x.zip"
    path.write_bytes(whole[:-30])
    with fails("is no .zip file that vech reads"):
        vech.read(path)
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in set(old.namelist()):
            new.writestr(name, old.read(name))
    with fails("packed or encrypted: members that are stored fit"):
        vech.read(path)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("a.txt", "")
    with fails("has no vector matrix/data of Zarr's format 2"):
        vech.read(path)


def test_without_numcodecs_an_error_names_the_extra(folders, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numcodecs", None)
    with fails('LD stores of magenpy need numcodecs: pip install "vech[magenpy]"', ImportError):
        vech.read(folders / "int8")


def test_magenpy_reads_what_is_written(folders, tmp_path, monkeypatch):
    """magenpy 0.2 needs zarr 2 and SciPy before 1.17, so this runs in an environment of its own."""
    pytest.importorskip("magenpy", reason="magenpy needs zarr<3 and scipy<1.17: an environment of its own")
    from magenpy.LDMatrix import LDMatrix

    monkeypatch.setattr(magenpy, "CHUNK", 5)
    S, variants = vech.read(folders / "int8"), vech.io.read_variants(folders / "int8")
    for name, encoding, apart in (
        ("x.ld.zarr", "int8", 0),
        ("x.zip", "int16", 0.5 / 32767 + 1e-7),
        ("y.ld.zarr", "float32", 0),
    ):
        vech.write(tmp_path / name, S, encoding=encoding, variants=variants)
        held = LDMatrix.from_path(tmp_path / name)
        assert held.validate_ld_matrix() and held.stored_dtype == encoding
        assert tuple(held.snps) == IDS and np.array_equal(held.bp_position, variants.columns["bp"])
        assert held.sample_size == 40 and held.a2[3] == "GATTACA"
        full = held.to_csr(return_symmetric=True, dtype="float32").toarray()
        assert np.allclose(full, expected(folders, "int8"), rtol=0, atol=apart)
        assert np.allclose(held.dot(np.arange(9, dtype="f4")), full @ np.arange(9), atol=1e-5)
    vech.write(tmp_path / "z.ld.zarr", vech.Packed(vech.pack(correlations(folders))), window=2)
    held = LDMatrix.from_path(tmp_path / "z.ld.zarr")
    assert_same_bits(
        held.to_csr(return_symmetric=True, dtype="float32").toarray(), expected(folders, "resized")
    )


def test_a_chunk_is_packed_as_zarr_packs_it():
    assert numcodecs.get_codec(zarr_vectors.BLOSC).get_config() == zarr_vectors.BLOSC
