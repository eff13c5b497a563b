"""Matrices in several files: parts of GCTA's --make-grm-part, pieces of PLINK's --parallel."""

import itertools
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import vech
from compare import assert_same_bits
from vech.io import FileFormatError
from vech.io.plink import MATRICES

DATA = Path(__file__).parent / "data"
N = 7
PEOPLE = tuple((f"fam{i // 2}", f"person{i}") for i in range(N))
STOPS = (0, 4, 6, 7)
"""Where rows of three parts end, of seven, as GCTA's GRM::divide_parts has them."""


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def write_parts(folder, numbers, stops=STOPS, people=PEOPLE, name="x", suffix=".grm.bin"):
    """A triangle by rows as GCTA writes it in parts: of each its rows and their names."""
    count = len(stops) - 1
    for k in range(count):
        first, stop = stops[k : k + 2]
        stem = f"{name}.part_{count}_{k + 1:0{len(str(count))}}"
        rows = numbers[first * (first + 1) // 2 : stop * (stop + 1) // 2]
        rows.astype("<f4").tofile(folder / f"{stem}{suffix}")
        text = "".join(f"{family}\t{person}\n" for family, person in people[first:stop])
        (folder / f"{stem}.grm.id").write_text(text)


@pytest.fixture
def half():
    return np.concatenate([np.fromfile(DATA / f"plink19-parallel.grm.bin.{k}", "<f4") for k in (1, 2, 3)])


@pytest.fixture
def parts(tmp_path, half):
    write_parts(tmp_path, half)
    return tmp_path


@pytest.fixture
def pieces(tmp_path):
    for path in DATA.glob("plink2-parallel.*"):
        shutil.copy(path, tmp_path / path.name.replace("plink2-parallel", "x"))
    return tmp_path


@pytest.mark.parametrize("name", ["x.part_3_1.grm.bin", "x.part_3_3.grm.bin", "x.grm.bin", "x.GRM.bin"])
def test_any_part_and_the_whole_stand_for_all_parts(parts, half, name):
    if name == "x.GRM.bin":
        for path in parts.iterdir():
            path.rename(parts / path.name.replace("grm", "GRM"))
    S = vech.read(parts / name)
    assert (S.layout, S.dtype, S.labels) == (vech.as_layout("gcta-grm-bin"), "<f4", PEOPLE)
    assert np.array_equal(S.half, half)


def test_counts_are_in_parts_too_and_twelve_of_them_come_in_order(tmp_path):
    numbers = np.arange(91.0)
    people = [("0", f"p{i}") for i in range(13)]
    write_parts(tmp_path, numbers, range(14), people, suffix=".grm.N.bin")
    S = vech.read(tmp_path / "x.part_13_07.grm.N.bin")
    assert np.array_equal(S.half, numbers) and S.labels[12] == "p12"


def test_a_file_that_is_whole_counts_before_its_parts(parts):
    shutil.copy(DATA / "plink19.grm.bin", parts / "x.grm.bin")
    shutil.copy(DATA / "plink19.grm.id", parts / "x.grm.id")
    assert vech.read(parts / "x.grm.bin").n == 5


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (["x.part_3_2.grm.bin"], "x.grm.bin: is in 3 parts, and part 2 is missing"),
        (["x.part_3_1.grm.bin", "x.part_3_3.grm.bin"], "is in 3 parts, and parts 1, 3 are missing"),
        (["x.part_3_2.grm.id"], "x.part_3_2.grm.bin: has no x.part_3_2.grm.id, which says its rows"),
    ],
)
def test_a_part_that_is_missing_is_named(parts, gone, message):
    for name in gone:
        (parts / name).unlink()
    for name in ("x.part_3_1.grm.bin", "x.grm.bin"):
        with fails(message):
            vech.read(parts / name)


def test_of_many_parts_that_are_missing_some_are_named(tmp_path):
    (tmp_path / f"x.part_{10**40}_1.grm.bin").touch()
    with fails(f"is in {10**40:,} parts, and parts 2, 3, 4, ... are missing"):
        vech.read(tmp_path / "x.grm.bin")


def test_a_part_that_is_cut_is_named(parts):
    os.truncate(parts / "x.part_3_2.grm.bin", 40)
    with fails(
        "x.part_3_2.grm.bin: has 40 bytes, and its 2 rows, behind 4 rows of the parts before, need 44: "
        "it is cut short, or of another run"
    ):
        vech.read(parts / "x.grm.bin")
    np.zeros(12, "<f4").tofile(parts / "x.part_3_2.grm.bin")
    with fails("need 44: it is too long, or of another run"):
        vech.read(parts / "x.grm.bin")


def test_a_part_of_a_run_with_other_people_is_named(parts, half):
    write_parts(parts, np.arange(55.0), (0, 5, 8, 10), [("0", f"q{i}") for i in range(10)], name="y")
    for kind in ("bin", "id"):
        shutil.copy(parts / f"y.part_3_2.grm.{kind}", parts / f"x.part_3_2.grm.{kind}")
    with fails(
        "has 84 bytes, and its 3 rows, behind 4 rows of the parts before, need 72: its rows begin with "
        "row 6, so it is of another run"
    ):
        vech.read(parts / "x.grm.bin")
    write_parts(parts, half, people=[*PEOPLE[:5], PEOPLE[0], PEOPLE[6]])
    with fails(
        "x.part_3_2.grm.id: names ('fam0', 'person0'), as x.part_3_1.grm.id does: one of them is of another "
        "run"
    ):
        vech.read(parts / "x.grm.bin")


def test_parts_of_two_runs_are_told_apart_by_name(parts, half):
    write_parts(parts, half, (0, 5, 7))
    with fails("x.grm.bin: is there in parts of 2 runs: say x.part_"):
        vech.read(parts / "x.grm.bin")
    assert vech.read(parts / "x.part_2_1.grm.bin").n == N


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.part_3_01.grm.bin", "is part 1 as x.part_3_"),
        ("x.part_3_4.grm.bin", "x.part_3_4.grm.bin: is no part of 3, whose numbers are 1 to 3"),
        ("x.part_3_0.grm.bin", "x.part_3_0.grm.bin: is no part of 3, whose numbers are 1 to 3"),
    ],
)
def test_a_part_that_is_no_part_is_refused(parts, name, message):
    (parts / name).touch()
    with fails(message):
        vech.read(parts / "x.part_3_2.grm.bin")


def test_arguments_must_agree_with_parts(parts):
    with fails("has n 7, and n=5 was asked for"):
        vech.read(parts / "x.grm.bin", n=5)
    with fails("has dtype <f4, and dtype=<f8 was asked for"):
        vech.read(parts / "x.grm.bin", dtype="<f8")


@pytest.mark.parametrize("suffix", ["rel", "king", "mibs"])
def test_what_is_large_stays_in_its_files_and_is_read_by_tiles(tmp_path, monkeypatch, suffix):
    layout = MATRICES[f".{suffix}.bin"].layout
    half = -np.arange(layout.length(N), dtype="f8")  # begins with a zero that has a sign
    half[-1] = np.nan
    for k, (first, stop) in enumerate(itertools.pairwise([1, 4, 6, N]), 1):
        first = 0 if k == 1 else layout.length(first)
        half[first : layout.length(stop)].tofile(tmp_path / f"x.{suffix}.bin.{k}")
    (tmp_path / f"x.{suffix}.id").write_text("".join(f"{a} {b}\n" for a, b in PEOPLE))
    expected = vech.read(tmp_path / f"x.{suffix}.bin")
    assert isinstance(expected, vech.Packed)
    monkeypatch.setattr("vech.io.pieces.memory_limit", lambda: 0)
    monkeypatch.setattr("vech.io.pieces.TILE", 3)
    T = vech.read(tmp_path / f"x.{suffix}.bin.2")
    assert isinstance(T, vech.Tiled) and (T.tile, T.grid, T.labels) == (3, 3, PEOPLE)
    assert_same_bits(T.expand(), expected.expand())
    assert_same_bits(T.to_packed(layout).half, half)
    assert np.array_equal(
        pickle.loads(pickle.dumps(T)).block([6, 0], slice(2, 5)), expected.block([6, 0], slice(2, 5))
    )
    with pytest.raises(ValueError, match=r"is of another program: vech\.write"):
        T.write_tile(0, 0, np.eye(3))


def test_parts_that_are_large_go_to_a_store_of_tiles(parts, half, monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.setattr("vech.io.pieces.memory_limit", lambda: 0)
    T = vech.read(parts / "x.part_3_1.grm.bin")
    assert T.missing() == [] and T.verify() == [] and T.dtype == np.float32
    x = np.linspace(0, 1, N, dtype="f4")
    assert np.allclose(T @ x, vech.Packed(half, "numpy-tril") @ x)
    vech.write(parts / "S.zarr", T)
    S = vech.read(parts / "S.zarr")
    assert S.labels == PEOPLE and np.array_equal(S.to_packed("numpy-tril").half, half)
    os.truncate(parts / "x.part_3_3.grm.bin", 8)
    with fails("x.part_3_3.grm.bin: is not as long as it was"):
        T.expand()


@pytest.mark.parametrize("name", ["x.rel.bin", "x.rel.bin.1", "x.rel.bin.3"])
def test_any_piece_and_the_whole_stand_for_all_pieces(pieces, name):
    S = vech.read(pieces / name)
    assert np.array_equal(S.half, np.fromfile(DATA / "plink2-whole.rel.bin"))
    assert (S.layout, S.labels) == (vech.as_layout("plink-rel-triangle"), PEOPLE)


def test_pieces_of_a_square_whose_upper_triangle_is_zeros(pieces):
    with fails("takes the lower triangle for both"):
        vech.read(pieces / "x.king.bin.1")
    S = vech.io.pack(pieces / "x.king.bin.1", use="lower")
    assert (S.dtype, S.labels) == (np.float32, PEOPLE)
    assert np.array_equal(S.diagonal(), np.full(N, 0.5, "f4"))


def test_plink_19_writes_pieces_of_a_grm(half):
    S = vech.read(DATA / "plink19-parallel.grm.bin.2")
    assert np.array_equal(S.half, half) and S.labels == PEOPLE


def test_a_piece_that_is_missing_is_named(pieces):
    (pieces / "x.rel.bin.2").unlink()
    with fails("x.rel.bin: is in pieces up to 3, and piece 2 is missing"):
        vech.read(pieces / "x.rel.bin")
    (pieces / "x.rel.bin.3").unlink()
    with fails(
        "x.rel.bin: has 80 bytes in pieces 1 to 1, if that is the last, and the 7 rows of x.rel.id need 224 "
        "(triangle of float64), 112 (triangle of float32), 392"
    ):
        vech.read(pieces / "x.rel.bin.1")


def test_pieces_that_are_as_long_as_a_matrix_and_end_within_rows(pieces):
    numbers = np.fromfile(DATA / "plink2-whole.rel.bin")
    numbers[:12].tofile(pieces / "x.rel.bin.1")
    numbers[12:21].tofile(pieces / "x.rel.bin.2")
    with fails("x.rel.bin.1, byte 96: ends within a row: it is cut, or of another run"):
        vech.read(pieces / "x.rel.bin")


@pytest.mark.parametrize(("name", "message"), [("x.rel.bin.0", "begin with 1"), ("x.rel.bin.01", "is piece")])
def test_a_piece_that_is_no_piece_is_refused(pieces, name, message):
    (pieces / name).touch()
    with fails(message):
        vech.read(pieces / "x.rel.bin.1")


def test_nothing_there_at_all_is_an_error_of_the_system(tmp_path):
    for name in ("x.grm.bin", "x.rel.bin", "x.rel.bin.1"):
        with pytest.raises(FileNotFoundError, match=name):
            vech.read(tmp_path / name)
        with pytest.raises(FileNotFoundError, match=name):
            vech.read(tmp_path / "none" / name)


@pytest.mark.parametrize("name", ["x.part_3_1.grm.bin", "x.rel.bin.1"])
def test_no_part_is_written(tmp_path, name):
    S = vech.Packed(np.zeros(3, "f4"), "numpy-tril", labels=["a", "b"])
    for write in (vech.write, vech.io.expand):
        with pytest.raises(ValueError, match="is the name of a part of a matrix: vech writes whole ones"):
            write(tmp_path / name, S)
    assert not list(tmp_path.iterdir())


def test_a_grm_of_five_billion_numbers_is_mapped(tmp_path):
    n = 100_000
    (tmp_path / "x.grm.id").write_text("".join(f"0 p{i}\n" for i in range(n)))
    with (tmp_path / "x.grm.bin").open("wb") as file:
        file.truncate(n * (n + 1) // 2 * 4)  # a file of holes
        file.seek((n * (n + 1) // 2 - 1) * 4)
        file.write(np.float32(0.5).tobytes())
    S = vech.read(tmp_path / "x.grm.bin")
    assert isinstance(S.half, np.memmap) and S.layout == vech.as_layout("numpy-tril")
    assert S[n - 1, n - 1] == 0.5 and S.labels[-1] == f"p{n - 1}"


def test_a_grm_that_is_mapped_goes_to_a_store_of_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr("vech.io.plink.MAP_FROM", 0)
    S = vech.read(DATA / "plink19.grm.bin")
    assert isinstance(S.half, np.memmap)
    vech.write(tmp_path / "S.zarr", S, tile=2)
    T = vech.read(tmp_path / "S.zarr")
    assert (T.tile, T.labels) == (2, S.labels) and np.array_equal(T.expand(), S.expand())
