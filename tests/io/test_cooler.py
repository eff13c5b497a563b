"""Files of cooler, read and written: pixels of the upper triangle, whose rows are bins of a genome."""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError
from vech.io.cooler import PACKING

h5py = pytest.importorskip("h5py")

DATA = Path(__file__).parent / "data" / "cooler.zip"
BINS = (
    ("chr1", 0, 1000),
    ("chr1", 1000, 2000),
    ("chr1", 2000, 2500),
    ("chr2", 0, 1000),
    ("chr2", 1000, 1800),
)
COUNTS = {(0, 0): 5, (0, 3): 2, (1, 1): 7, (1, 4): 1, (3, 4): 3}
SCORES = dict(zip(COUNTS, (0.5, 0.25, np.nan, -1, 2), strict=True))
WEIGHT, KR = (1, 0.5, np.nan, 2, 0.25), (1, 2, np.nan, 4, 0.5)
N = 5


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def full(pixels, weights=(1,) * N):
    matrix = np.zeros((N, N))
    for (i, j), value in pixels.items():
        matrix[i, j] = matrix[j, i] = value * weights[i] * weights[j]
    return matrix


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cooler")
    with zipfile.ZipFile(DATA) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def path(folder, tmp_path):
    return Path(shutil.copy(folder / "a.cool", tmp_path / "x.cool"))


@pytest.fixture
def edit(path):
    """Change a dataset of the file: other numbers, dtype or length, or none."""

    def change(name, data=None, **options):
        with h5py.File(path, "r+") as file:
            del file[name]
            if data is not None or options:
                file.create_dataset(name, data=data, **options)

    return change


def test_pixels_are_a_sparse_half_and_bins_its_labels(folder):
    S = vech.read(folder / "a.cool")
    assert isinstance(S, vech.SparseHalf)
    assert (S.triangle, S.kind, S.dtype, S.nnz) == ("upper", "symmetric", np.int32, len(COUNTS))
    assert S.labels == BINS and {type(x) for x in S.labels[0]} == {str, int}
    assert S.indices.dtype == S.indptr.dtype == np.int32
    assert np.array_equal(S.expand(), full(COUNTS))
    assert np.array_equal(S.loc["chr2", "chr1"], full(COUNTS)[3:, :3])


def test_weights_count_only_where_they_are_asked_for(folder):
    path = folder / "a.cool"
    assert vech.read(path, balance=False).dtype == np.int32
    assert np.array_equal(vech.read(path, balance=True).expand(), full(COUNTS, WEIGHT))
    divided = full(COUNTS, 1 / np.array(KR))
    assert np.array_equal(vech.read(path, balance="KR").expand(), divided)
    with fails("has no weights 'VC' (`cooler balance` makes weights): there are KR, weight"):
        vech.read(path, balance="VC")
    with fails("has no weights '': there are KR".replace("''", "'' (`cooler balance` makes weights)")):
        vech.read(path, balance="")
    with pytest.raises(TypeError, match="balance is True, False or the name of a column of weights, not 3"):
        vech.read(path, balance=3)


def test_a_bin_without_a_weight_makes_its_numbers_nan(edit, path):
    edit("bins/weight", [np.nan, 1.0, 1, 1, 1])
    expected = np.array([np.nan, np.nan, 7.0, 1, 3])
    assert np.array_equal(vech.read(path, balance=True).data, expected, equal_nan=True)


def test_another_column_of_pixels(folder):
    S = vech.read(folder / "a.cool", field="score")
    assert S.dtype == np.float32 and np.array_equal(S.expand(), full(SCORES), equal_nan=True)
    with fails("has no dataset pixels/other".replace("pixels", "/pixels")):
        vech.read(folder / "a.cool", field="other")


def test_a_resolution_and_a_cell_are_named(folder):
    S = vech.read(f"{folder / 'a.mcool'}::/resolutions/2000")
    assert S.labels == (("chr1", 0, 2000), ("chr1", 2000, 2500), ("chr2", 0, 1800))
    assert S.expand().tolist() == [[12, 0, 3], [0, 0, 0], [3, 0, 3]]
    assert vech.read(f"{folder / 'a.scool'}::cells/two").nnz == 2
    assert vech.read(f"{folder / 'a.scool'}::cells/one").labels == BINS
    with fails(
        "a.mcool: holds more than one dataset that could be a matrix: say a.mcool::/resolutions/1000, "
    ):
        vech.read(folder / "a.mcool")
    with fails("say a.scool::/cells/one, a.scool::/cells/two"):
        vech.read(f"{folder / 'a.scool'}::cells")
    with fails("a.mcool: has no group /resolutions/3"):
        vech.read(f"{folder / 'a.mcool'}::/resolutions/3")
    with fails("a.mcool: has no group of its own at /resolutions/1000/bins/start"):
        vech.read(f"{folder / 'a.mcool'}::/resolutions/1000/bins/start")
    with fails("a.mcool: holds no cooler: no group of chroms, bins, pixels and indexes"):
        vech.read(f"{folder / 'a.mcool'}::/resolutions/1000/bins")


def test_both_triangles_must_agree(folder, tmp_path):
    S = vech.read(folder / "square.cool")
    assert np.array_equal(S.expand(), full({(0, 0): 5, (0, 4): 2, (1, 1): 7}))
    other = shutil.copy(folder / "square.cool", tmp_path / "y.cool")
    with h5py.File(other, "r+") as file:
        file["pixels/count"][3] = 9
    with fails("y.cool: matrix is not symmetric"):
        vech.read(other)
    assert vech.io.pack(other, use="lower")[4, 0] == 9


def test_files_of_version_2_are_of_the_upper_triangle(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["storage-mode"]
    assert vech.read(path).nnz == 5


@pytest.mark.parametrize("dtype", ["i1", ">i4", "u8", "f4"])
def test_cooler_reads_what_was_written(tmp_path, dtype):
    cooler = pytest.importorskip("cooler")
    S = vech.SparseHalf.from_half(vech.pack(full(COUNTS).astype(dtype)), labels=BINS, triangle="lower")
    vech.write(tmp_path / "y.cool", S)
    assert cooler.fileops.is_cooler(str(tmp_path / "y.cool"))
    found = cooler.Cooler(str(tmp_path / "y.cool"))
    assert np.array_equal(found.matrix(balance=False)[:], full(COUNTS))
    assert list(found.bins()[:].itertuples(index=False, name=None)) == list(BINS)
    assert found.chromsizes.to_dict() == {"chr1": 2500, "chr2": 1800}
    assert (found.binsize, found.storage_mode, found.info["sum"]) == (1000, "symmetric-upper", 18)
    assert found.pixels()[:]["count"].dtype == np.dtype(dtype).newbyteorder("=")
    assert found.matrix(balance=False).fetch("chr2", "chr1:1000-2500").tolist() == [[0, 0], [1, 0]]


def test_cooler_balances_what_was_written(tmp_path):
    cooler = pytest.importorskip("cooler")
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 99, (40, 40))
    bins = [("chrX", 10 * i, 10 * (i + 1)) for i in range(40)]
    path = str(tmp_path / "y.cool")
    vech.write(path, vech.Packed(vech.pack(counts + counts.T), labels=bins))
    weights, _ = cooler.balance_cooler(cooler.Cooler(path), min_nnz=0, mad_max=0, ignore_diags=0, store=True)
    expected = cooler.Cooler(path).matrix(balance=True)[:]
    assert np.array_equal(vech.read(path, balance=True).expand(), expected)
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("make", [vech.Packed, vech.SparseHalf.from_half])
def test_what_was_written_reads_back(tmp_path, make):
    S = make(vech.pack(full(SCORES)), labels=BINS)
    vech.write(tmp_path / "y.cool", S)
    back = vech.read(tmp_path / "y.cool")
    assert back.labels == BINS and back.nnz == len(SCORES)
    assert np.array_equal(back.expand(), full(SCORES), equal_nan=True)
    with pytest.raises(FileExistsError):
        vech.write(tmp_path / "y.cool", S, overwrite=False)
    vech.write(tmp_path / "y.cool", S.submatrix([1, 3]) if hasattr(S, "submatrix") else S)
    assert [file.name for file in tmp_path.iterdir()] == ["y.cool"]


def test_no_pixels_and_one_bin(tmp_path):
    for n, nnz in ((1, 0), (1, 1)):
        vech.write(tmp_path / "y.cool", vech.Packed(np.full(n, nnz), labels=BINS[:n]))
        assert (vech.read(tmp_path / "y.cool").n, vech.read(tmp_path / "y.cool").nnz) == (n, nnz)


def attributes(path):
    with h5py.File(path) as file:
        return dict(file.attrs), h5py.check_enum_dtype(file["bins/chrom"].dtype), file["bins/end"].dtype


def test_bins_of_varying_size_and_far_away(tmp_path):
    for bins, size in [
        ([("a", 0, 10), ("a", 10, 15), ("a", 15, 25)], "null"),
        ([("a", 5, 15), ("a", 15, 25)], "null"),
        ([("a", 10, 20), ("a", 20, 30), ("b", 0, 7)], 10),
        ([("a", 0, 2**40)], 2**40),
    ]:
        S = vech.Packed(np.ones(len(bins) * (len(bins) + 1) // 2), labels=bins)
        vech.write(tmp_path / "y.cool", S)
        found, names, dtype = attributes(tmp_path / "y.cool")
        assert found["bin-size"] == size
        assert set(names) == {chrom for chrom, *_ in bins}
        assert (found["bin-type"] == "variable") == (size == "null")
        assert dtype == (np.int64 if bins[-1][2] == 2**40 else np.int32)
        assert vech.read(tmp_path / "y.cool").labels == tuple(bins)


def test_many_scaffolds_have_no_room_in_a_type(tmp_path):
    bins = [(f"scaffold_{k:05}", 0, 100) for k in range(3000)]
    S = vech.SparseHalf.from_coo([2999], [0], [1.0], 3000, use="lower", labels=bins)
    vech.write(tmp_path / "y.cool", S)
    assert attributes(tmp_path / "y.cool")[1] is None
    assert vech.read(tmp_path / "y.cool").labels == tuple(bins)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, ValueError, "bins are named by labels (chromosome, start, end), and this store has none"),
        (["chr1:0-10", "chr1:10-20"], TypeError, "the label 'chr1:0-10' is no bin (chromosome"),
        ([("c", 0, 10), ("c", 10.0, 20)], TypeError, "the label ('c', 10.0, 20) is no bin"),
        ([("c", 0, 10), ("", 0, 20)], TypeError, "is no bin"),
        ([("c", 0, 10), ("\0", 0, 20)], TypeError, "is no bin"),
        ([("c", 0, 10), ("ü", 0, 20)], TypeError, "is no bin"),
        ([("c", 0, 10), ("c", 5, 20)], ValueError, "the bin ('c', 5, 20) is empty, or does not follow"),
        ([("c", 0, 10), ("c", 10, 10)], ValueError, "the bin ('c', 10, 10) is empty"),
        ([("c", -5, 10), ("c", 10, 20)], ValueError, "bins ascend, chromosome by chromosome"),
        ([("c", 0, 2**63), ("d", 0, 20)], ValueError, "bins ascend"),
    ],
)  # fmt: skip
def test_labels_that_are_no_bins(tmp_path, labels, error, message):
    with pytest.raises(error, match=re.escape(f"y.cool: {message}" if labels is None else message)):
        vech.write(tmp_path / "y.cool", vech.Packed(np.ones(3), labels=labels))
    assert not list(tmp_path.iterdir())


def test_a_chromosome_in_two_places(tmp_path):
    bins = [("a", 0, 1), ("b", 0, 1), ("a", 1, 2)]
    with pytest.raises(ValueError, match=r"the bin \('a', 1, 2\) is empty, or does not follow"):
        vech.write(tmp_path / "y.cool", vech.Packed(np.ones(6), labels=bins))


def test_what_no_pixels_hold(tmp_path):
    for half, kind in [(np.ones(3, "?"), None), (np.ones(3, "f2"), None), (np.ones(3) * 1j, "hermitian")]:
        with pytest.raises(TypeError, match="pixels are integers, float32 or float64 of a symmetric matrix"):
            vech.write(tmp_path / "y.cool", vech.Packed(half, kind=kind, labels=BINS[:2]))
    with pytest.raises(TypeError, match="this one is skew of float64"):
        vech.write(tmp_path / "y.cool", vech.Packed(np.ones(1), "condensed", kind="skew", labels=BINS[:2]))
    S = vech.Packed(np.ones(3), labels=BINS[:2])
    for name in ("y.mcool", "y.scool"):
        with pytest.raises(ValueError, match=r"cool is read and not written: write .*, \.cool, "):
            vech.write(tmp_path / name, S)
    with pytest.raises(ValueError, match=r"a \.cool is written whole, without ::"):
        vech.write(f"{tmp_path}/y.cool::/a", S)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("pixels/bin1_id", [0, 0, 1, 1], "has 5 numbers in /pixels/bin2_id, and 4 fit the other columns"),
        ("pixels/bin1_id", [0, 0, 1, 1, 5], "has pixels/bin1_id 0 to 5, and 0 to 4 fit"),
        ("pixels/bin1_id", [-1, 0, 1, 1, 3], "has pixels/bin1_id -1 to 3, and 0 to 4 fit"),
        ("pixels/bin1_id", [0, 0, 1, 3, 1], "pixels/bin1_id that does not ascend"),
        ("pixels/bin1_id", [0, 0, 1, 2, 3], "has indexes/bin1_offset 4 for bin 2, and its pixels begin at 3"),
        ("pixels/bin1_id", np.array([0, 0, 1, 1, 2**63], "u8"), "0 to 9,223,372,036,854,775,808, and"),
        ("pixels/bin1_id", [0.0, 0, 1, 1, 3], "a column of numbers fits"),
        ("pixels/bin2_id", [0, 3, 1, 4, 2**32 + 4], "has pixels/bin2_id 0 to 4,294,967,300, and 0 to 4 fit"),
        ("pixels/bin2_id", [0, 3, 0, 4, 4], "row 1"),
        ("pixels/bin2_id", [3, 0, 1, 4, 4], "row 0"),
        ("pixels/bin2_id", [0, 0, 1, 4, 4], "row 0"),
        ("pixels/count", [[5, 2, 7, 1, 3]], "of shape (1, 5) and dtype int64: a column of numbers fits"),
        ("pixels/count", np.ones(5, "f2"), "and dtype float16: a column of numbers fits"),
        ("pixels/count", np.ones(5, "c8"), "and dtype complex64"),
        ("pixels/count", [b"a"] * 5, "a column of numbers fits"),
        ("pixels/count", None, "has no dataset /pixels/count"),
        ("indexes/bin1_offset", [0, 2, 4, 4, 5], "has 5 numbers in /indexes/bin1_offset, and 6 fit"),
        ("indexes/bin1_offset", [0, 2, 4, 4, 5, 6], "has indexes/bin1_offset 6 for bin 5"),
        ("bins/chrom", [0, 0, 0, 1, 2], "has bins/chrom 0 to 2, and 0 to 1 fit"),
        ("bins/end", [1], "has 1 numbers in /bins/end, and 5 fit"),
        ("bins", None, "holds no cooler"),
        ("chroms/name", np.array([b"a", b"\xff"]), "can't decode byte 0xff"),
        ("chroms/name", ["a", "b"], "a column of names fits"),
        ("chroms/name", np.zeros(0, "S3"), "has bins/chrom 0 to 1, and 0 to -1 fit"),
    ],
)  # fmt: skip
def test_columns_that_lie(edit, path, name, data, message):
    edit(name, data)
    with fails(message):
        vech.read(path)


def test_a_column_that_would_be_filled(edit, path):
    edit("pixels/bin1_id", shape=(10**12,), dtype="i8", chunks=(1000,))
    with fails("its dataset /pixels/bin1_id of shape (1000000000000,) would be filled"):
        vech.read(path)


def test_columns_of_other_files_are_not_followed(path, tmp_path):
    shutil.copy(path, tmp_path / "other.cool")
    with h5py.File(path, "r+") as file:
        del file["pixels/count"]
        file["pixels/count"] = h5py.ExternalLink("other.cool", "/pixels/count")
    with fails("has the numbers of /pixels/count in another file, which vech does not follow"):
        vech.read(path)
    with h5py.File(path, "r+") as file:
        file["far"] = h5py.ExternalLink("other.cool", "/")
    with fails("has no group of its own at /far"):
        vech.read(f"{path}::far")


@pytest.mark.parametrize("mode", ["lower", b"x", 3])
def test_a_storage_mode_that_nobody_knows(path, mode):
    with h5py.File(path, "r+") as file:
        file.attrs["storage-mode"] = mode
    with fails("has the storage-mode"):
        vech.read(path)


def test_no_hdf5_at_all(tmp_path):
    (tmp_path / "y.cool").write_bytes(b"\x89HDF\r\n\x1a\n")
    with fails("y.cool: cannot be opened by h5py"):
        vech.read(tmp_path / "y.cool")
    with pytest.raises(FileNotFoundError):
        vech.read(tmp_path / "z.cool")


def test_columns_are_packed_as_cooler_packs_them(tmp_path):
    vech.write(tmp_path / "y.cool", vech.Packed(np.ones(15), labels=BINS))
    with h5py.File(tmp_path / "y.cool") as file:
        assert file["pixels/count"].compression == PACKING["compression"]
