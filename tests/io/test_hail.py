"""Folders that Hail's BlockMatrix.write made, and folders that lie."""

import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError, hail

lz4 = pytest.importorskip("numcodecs.lz4")

DATA = Path(__file__).parent / "data" / "hail.zip"
FULL = np.array(
    [
        [-0.5, -1.75, 2.5, 1.5, -0.75],
        [-1.75, 2.5, 1.5, -0.75, 0.0],
        [2.5, 1.5, -2.5, 1.25, 0.25],
        [1.5, -0.75, 1.25, -4.0, -2.25],
        [-0.75, 0.0, 0.25, -2.25, 2.5],
    ]
)
BAND = np.where(abs(np.subtract.outer(range(5), range(5))) <= 1, FULL, 0)


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hail")
    with zipfile.ZipFile(DATA) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def dense(folders, tmp_path):
    return shutil.copytree(folders / "dense.bm", tmp_path / "x.bm")


def change(path, **what):
    found = json.loads((path / "metadata.json").read_text()) | what
    (path / "metadata.json").write_text(json.dumps(found))


def part(path, k=1):
    return path / "parts" / json.loads((path / "metadata.json").read_text())["partFiles"][k]


def packed(raw):
    chunk = bytes(lz4.compress(raw))
    return len(chunk).to_bytes(4, "little") + chunk


@pytest.mark.parametrize("name", ["dense", "rows", "turned", "upper", "lower"])
def test_all_blocks_of_a_triangle_are_a_half(folders, name):
    S = vech.read(folders / f"{name}.bm")
    assert isinstance(S, vech.Packed) and (S.layout.name, S.dtype, S.labels) == ("vech", np.float64, None)
    assert np.array_equal(S.expand(), FULL)
    assert vech.read(folders / f"{name}.bm", layout="numpy-triu").layout.name == "numpy-triu"


@pytest.mark.parametrize("name", ["band", "bandupper"])
def test_blocks_that_are_left_out_are_zeros(folders, name):
    S = vech.read(folders / f"{name}.bm")
    assert isinstance(S, vech.SparseHalf) and S.nnz == np.count_nonzero(np.tril(BAND))
    assert np.array_equal(S.expand(), BAND)


def test_blocks_of_one_triangle_are_mirrored(folders):
    expected = np.zeros((5, 5))
    expected[:4, :2] = FULL[:4, :2]
    expected[:2, :4] = FULL[:2, :4]
    assert np.array_equal(vech.read(folders / "rectangles.bm").expand(), expected)


def test_a_block_of_several_chunks_with_nan_and_infinity(folders):
    S = vech.read(folders / "large.bm")
    assert S.n == 70 and np.isnan(S[4, 3]) and S[7, 7] == np.inf
    assert np.isnan(S.expand()).sum() == 2 and S[69, 0] == S[0, 69] == 2.5 and S[69, 68] == -0.25


def test_one_block_is_a_full_matrix_like_any_other(folders):
    with fails("single.bm: matrix is not symmetric: a[2, 0] is 0.0, but a[0, 2] is 2.5; vech.io.pack"):
        vech.read(folders / "single.bm")
    assert np.array_equal(vech.io.pack(folders / "single.bm", use="upper").expand(), FULL)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "asymmetric",
            "asymmetric.bm: is not symmetric: a[4, 1] is 1.0, but a[1, 4] is 0.0; Hail's (B + B.T)",
        ),
        ("oblong", "says 3 rows and 5 columns: a square matrix is wanted"),
    ],
)
def test_a_matrix_that_is_not_symmetric(folders, name, message):
    with fails(message):
        vech.read(folders / f"{name}.bm")


def test_triangles_may_differ_by_rounding_and_nothing_else(dense):
    head = np.array([2, 2], "<i4").tobytes() + b"\0"
    for number, fits in [(2.5 * (1 + 1e-16), True), (2.5 + 1e-12, False), (np.nan, False), (np.inf, False)]:
        block = np.array([[number, 1.5], [1.5, -0.75]])
        part(dense, 1).write_bytes(packed(head + block.T.tobytes()))
        if fits:
            assert vech.read(dense).n == 5
        else:
            with fails(f"a[2, 0] is {number}, but a[0, 2] is 2.5"):
                vech.read(dense)


def test_blocks_of_both_triangles_without_their_mirror(folders, tmp_path):
    path = shutil.copytree(folders / "band.bm", tmp_path / "x.bm")
    found = json.loads((path / "metadata.json").read_text())
    change(
        path,
        maybeFiltered=[*found["maybeFiltered"][:-2], 8],
        partFiles=[*found["partFiles"][:-2], found["partFiles"][-1]],
    )
    with fails("is not symmetric: block (2, 1) is there and block (1, 2) is not"):
        vech.read(path)


def test_no_block_at_all_is_a_matrix_of_zeros(dense):
    change(dense, maybeFiltered=[], partFiles=[], nRows=3_000_000_000, nCols=3_000_000_000)
    S = vech.read(dense)
    assert (S.n, S.nnz) == (3_000_000_000, 0)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"blockSize": 0}, "metadata.json: says blockSize, nRows, nCols [0, 5, 5]: each must be 1 or more"),
        ({"nRows": True}, "each must be 1 or more"),
        ({"nRows": "5"}, "each must be 1 or more"),
        ({"nRows": 2**62, "nCols": 2**62}, "is out of range"),
        ({"blockSize": 1}, "has 9 partFiles, and its 25 blocks need as many"),
        ({"blockSize": 3}, "has 9 partFiles, and its 4 blocks need as many"),
        ({"partFiles": None}, "has no list of partFiles"),
        ({"maybeFiltered": 3}, "or a maybeFiltered that is none"),
        ({"maybeFiltered": [0]}, "has 9 partFiles, and its 1 blocks need as many"),
        ({"maybeFiltered": [*range(8), 9]}, "no list of blocks 0 to 8"),
        ({"maybeFiltered": [*range(8), "8"]}, "no list of blocks 0 to 8"),
        ({"maybeFiltered": [1, 0, *range(2, 9)]}, "does not ascend"),
        ({"maybeFiltered": [0, 0, *range(2, 9)]}, "does not ascend"),
        ({"partFiles": ["a"] * 9}, "has a name twice in partFiles"),
        *(
            ({"partFiles": [name, *"abcdefgh"]}, f"has {name!r} in partFiles, which are names")
            for name in ("../metadata.json", "/etc/passwd", "..", "", ".", "a/b", "a\0", 3, None)
        ),
    ],
)  # fmt: skip
def test_metadata_that_lie(dense, what, message):
    change(dense, **what)
    with fails(message):
        vech.read(dense)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[", "metadata.json, line 1: is not JSON"),
        (b"\xff", "byte 0: is not text"),
        (b"[]", "each must be 1"),
    ],
)
def test_metadata_that_are_none(dense, text, message):
    (dense / "metadata.json").write_bytes(text)
    with fails(message):
        vech.read(dense)


def test_what_hail_did_not_finish(dense):
    (dense / "_SUCCESS").unlink()
    with fails("x.bm: has no _SUCCESS: Hail did not write all of it, or a copy lacks it"):
        vech.read(dense)
    (dense / "_SUCCESS").touch()
    part(dense).unlink()
    with pytest.raises(FileNotFoundError, match="part-1"):
        vech.read(dense)
    (dense / "metadata.json").unlink()
    with fails("metadata.json: is missing"):
        vech.read(dense)


def test_a_part_that_leads_elsewhere(dense, tmp_path):
    os.rename(part(dense), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", part(dense))
    with fails("leads out of x.bm"):
        vech.read(dense)


def test_a_part_that_is_damaged(dense):
    path, good = part(dense), part(dense).read_bytes()
    raw = np.array([2, 2], "<i4").tobytes() + b"\0" + np.arange(4.0).tobytes()
    for data, message in [
        (good[:-1], "byte 0: has a chunk of"),
        (good[:3], "has a chunk of"),
        (good + b"\0", "goes on behind its 41 bytes, unpacked"),
        (b"", "has 0 bytes, and a block of 2 x 2 numbers has 41, unpacked"),
        (bytes(10**6), "has 1,000,000 bytes, and a block"),
        (b"\xff" * 4 + good[4:], "byte 0: has a chunk of 4,294,967,295 bytes, and is cut or damaged"),
        (good[:4] + b"\xff" * 4 + good[8:], "byte 4: has a chunk of 4,294,967,295 bytes, unpacked"),
        (good[:4] + b"\x28" + good[5:], "is damaged"),
        (good[:9] + b"\xff" * (len(good) - 9), "is damaged"),
        (packed(raw[:4] + np.array([3], "<i4").tobytes() + raw[8:]), "holds 2 x 3 numbers, and its block is"),
        (packed(raw[:8] + b"\2" + raw[9:]), "holds 2 x 2 numbers"),
        (packed(raw + b"1234"), "byte 0: holds more than its 41 bytes, unpacked"),
        (packed(raw[:5]), "holds no numbers, and its block is 2 x 2"),
        (packed(raw[:20]), "has a chunk of 0 bytes, and is cut"),
        (good[:4] + b"\xff\x7f\0\0" + good[8:], "is damaged"),
    ]:  # fmt: skip
        path.write_bytes(data)
        with fails(message):
            vech.read(dense)


def test_swapped_parts_of_other_shapes(dense):
    names = json.loads((dense / "metadata.json").read_text())["partFiles"]
    change(dense, partFiles=[*names[:7], names[8], names[7]])
    with fails("holds 1 x 1 numbers, and its block is 2 x 1"):
        vech.read(dense)


@pytest.mark.parametrize("name", ["dense", "rows", "upper", "lower"])
def test_what_is_large_stays_in_its_blocks(folders, tmp_path, monkeypatch, name):
    monkeypatch.setattr(hail, "memory_limit", lambda: 0)
    T = vech.read(folders / f"{name}.bm")
    assert isinstance(T, vech.Tiled) and (T.tile, T.grid, T.missing()) == (2, 3, [])
    assert np.array_equal(T.expand(), FULL) and np.array_equal(T.diagonal(), FULL.diagonal())
    assert np.array_equal(pickle.loads(pickle.dumps(T)) @ np.ones(5), FULL.sum(1))
    vech.write(tmp_path / "S.zarr", T)
    assert np.array_equal(vech.read(tmp_path / "S.zarr").expand(), FULL)
    assert isinstance(vech.read(folders / f"{name}.bm", layout="vech"), vech.Packed)


def test_of_blocks_that_stay_the_triangles_are_compared_too(folders, monkeypatch):
    monkeypatch.setattr(hail, "memory_limit", lambda: 0)
    T = vech.read(folders / "asymmetric.bm")
    assert T.verify() == [(2, 0)] and np.array_equal(T.block([0, 1], [2]), FULL[:2, 2:3])
    with fails("asymmetric.bm: is not symmetric: a[4, 1] is 1.0, but a[1, 4] is 0.0"):
        T.expand()


def test_a_half_beyond_memory_is_refused_before_it_is_made(dense, monkeypatch):
    def check_memory(nbytes, hint):
        raise MemoryError(f"{nbytes}: {hint}")

    monkeypatch.setattr(hail, "check_memory", check_memory)
    with pytest.raises(MemoryError, match=r"120: leave layout= out"):
        vech.read(dense, layout="vech")


def test_it_is_a_folder_and_read_alone(dense, tmp_path):
    (tmp_path / "y.bm").touch()
    with pytest.raises(FileNotFoundError, match="no such folder, and a BlockMatrix is one"):
        vech.read(tmp_path / "y.bm")
    with pytest.raises(ValueError, match=r"\.bm is read and not written"):
        vech.write(tmp_path / "z.bm", vech.read(dense))
