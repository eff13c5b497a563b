"""Binary matrices of GCTA and PLINK, against each other: PLINK's square says what its triangle is."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError, drafts

DATA = Path(__file__).parent / "data"
PEOPLE = (
    ("fam0", "person0"),
    ("fam0", "person1"),
    ("fam1", "person2"),
    ("fam1", "person3"),
    ("fam2", "person4"),
)
N = 5


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def read(name):
    return vech.read(DATA / name)


@pytest.fixture
def grm(tmp_path):
    for suffix in (".bin", ".id", ".N.bin"):
        shutil.copy(DATA / f"plink19.grm{suffix}", tmp_path / f"x.grm{suffix}")
    return tmp_path / "x.grm.bin"


def test_labels_layout_and_dtype_come_from_the_dialect():
    for name, layout, dtype in [
        ("plink19.grm.bin", "gcta-grm-bin", "<f4"),
        ("plink19.grm.N.bin", "gcta-grm-bin", "<f4"),
        ("plink19-triangle.rel.bin", "plink-rel-triangle", "<f8"),
        ("plink2-triangle4.rel.bin", "plink-rel4-triangle", "<f4"),
        ("plink2.king.bin", "plink-king-triangle", "<f8"),
        ("plink19.dist.bin", "plink-dist-triangle", "<f8"),
        ("plink19.mdist.bin", "plink-dist-triangle", "<f8"),
    ]:
        S = read(name)
        assert (S.n, S.labels, S.layout, S.dtype) == (N, PEOPLE, vech.as_layout(layout), np.dtype(dtype)), (
            name
        )


def test_triangles_are_those_of_the_squares():
    square = read("plink19-square4.rel.bin").expand()
    np.testing.assert_allclose(read("plink19-triangle.rel.bin").expand(), square, rtol=1e-6)
    assert np.array_equal(read("plink19.grm.bin").expand(), square)
    king = read("plink2-square4.king.bin").expand()
    np.testing.assert_allclose(read("plink2.king.bin").expand(), king - np.diag(np.full(N, 0.5)), rtol=1e-6)


def test_the_diagonal_of_similarities_is_one_and_of_distances_zero():
    similarity, distance = read("plink19.mibs.bin").expand(), read("plink19.mdist.bin").expand()
    np.testing.assert_allclose(similarity, 1 - distance)
    assert np.array_equal(similarity.diagonal(), np.ones(N)) and not distance.diagonal().any()


def test_the_counts_of_gcta_have_the_same_labels():
    counts = read("plink19.grm.N.bin")
    assert counts.labels == PEOPLE and set(counts.half.tolist()) == {342.0, 400.0}


@pytest.mark.parametrize(
    "name", ["plink19.grm.bin", "plink19-triangle.rel.bin", "plink2.king.bin", "plink19.mibs.bin"]
)
def test_what_was_read_is_written_as_it_was(tmp_path, name):
    suffix = name.partition(".")[2]
    vech.write(tmp_path / f"x.{suffix}", read(name))
    assert (tmp_path / f"x.{suffix}").read_bytes() == (DATA / name).read_bytes()
    assert vech.read(tmp_path / f"x.{suffix}").labels == PEOPLE


@pytest.mark.skipif(not shutil.which("plink1.9"), reason="plink1.9 is not installed")
def test_plink_reads_what_was_written(tmp_path):
    S = read("plink19.grm.bin").copy()
    S[1, 3] = 0.9
    vech.write(tmp_path / "x.grm.bin", S)
    vech.write(tmp_path / "x.grm.N.bin", read("plink19.grm.N.bin"))
    command = ["plink1.9", "--grm-bin", "x", "--rel-cutoff", "0.5", "--out", "y"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    kept = [tuple(line.split()) for line in (tmp_path / "y.grm.id").read_text().splitlines()]
    assert kept in ([p for p in PEOPLE if p != PEOPLE[1]], [p for p in PEOPLE if p != PEOPLE[3]])


@pytest.mark.skipif(not shutil.which("plink2"), reason="plink2 is not installed")
def test_plink2_reads_what_was_written(tmp_path):
    S = read("plink2.king.bin").copy()
    S[1, 3] = 0.4
    vech.write(tmp_path / "x.king.bin", S)
    (tmp_path / "g.fam").write_text("".join(f"{family} {person} 0 0 1 -9\n" for family, person in PEOPLE))
    (tmp_path / "g.bim").write_text("1 v 0 1 A C\n")
    (tmp_path / "g.bed").write_bytes(b"\x6c\x1b\x01" + bytes([0b11100100, 0]))
    command = ["plink2", "--bfile", "g", "--king-cutoff", "x", "0.3", "--out", "y"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    [out] = (tmp_path / "y.king.cutoff.out.id").read_text().splitlines()[1:]
    assert tuple(out.split()) in (PEOPLE[1], PEOPLE[3])


def test_a_float64_file_is_known_by_its_size(grm):
    np.fromfile(grm, "<f4").astype("<f8").tofile(grm)
    assert vech.read(grm).dtype == np.float64


@pytest.mark.parametrize("ids", [True, False])
def test_a_size_that_does_not_fit(grm, ids):
    if not ids:
        (grm.parent / "x.grm.id").unlink()
    with grm.open("ab") as file:
        file.write(bytes(4))
    if ids:
        with fails(
            "x.grm.bin: has 64 bytes, and the 5 rows of x.grm.id need 60 (triangle of float32), 120 (triangle"
        ):
            vech.read(grm)
    else:
        with fails("a half of length 16 fits no n"):
            vech.read(grm)


def test_without_ids_the_size_tells_the_side_of_gcta_and_not_of_plink(grm):
    (grm.parent / "x.grm.id").unlink()
    assert (vech.read(grm).n, vech.read(grm).labels) == (N, None)
    rel = grm.parent / "y.rel.bin"
    shutil.copy(DATA / "plink19-triangle.rel.bin", rel)
    with fails("y.rel.bin: may be of several sides, and y.rel.id, which tells, is missing: say n= (--n)"):
        vech.read(rel)
    assert vech.read(rel, n=N).labels is None


def test_a_dtype_or_a_side_that_is_another(grm):
    with fails("has 60 bytes, and the 5 rows of x.grm.id need 120 (triangle of float64)"):
        vech.read(grm, dtype="<f8")
    with fails("has n 5, and n=4 was asked for"):
        vech.read(grm, n=4)


def test_a_square_of_one_triangle_is_read_by_use(tmp_path):
    full = np.tril(read("plink19-square4.rel.bin").expand())
    full.astype("<f8").tofile(tmp_path / "x.rel.bin")
    shutil.copy(DATA / "plink2-triangle4.rel.id", tmp_path / "x.rel.id")
    with fails("takes the lower triangle for both"):
        vech.read(tmp_path / "x.rel.bin")
    S = vech.io.pack(tmp_path / "x.rel.bin", use="lower")
    assert np.array_equal(S.expand(), read("plink19-square4.rel.bin").expand()) and S.labels == PEOPLE


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("0\ta\n0\tb\n", ("a", "b")),
        ("f a\r\n0  b\r\n\r\n", (("f", "a"), ("0", "b"))),
        ("#IID\na\nb\n", ("a", "b")),
        ("#FID IID\nf a\nf b", (("f", "a"), ("f", "b"))),
        ("#FID\tIID\tSID\nf\ta\t1\nf\tb\t0\n", (("f", "a", "1"), ("f", "b", "0"))),
        ("#IID SID\na 0\nb 0\n", ("a", "b")),
        ("f a more\nf b more\n", (("f", "a"), ("f", "b"))),
        ("\ufefff ä\nf b\n", (("f", "ä"), ("f", "b"))),
    ],
)
def test_ids_as_programs_write_them(tmp_path, text, labels):
    (tmp_path / "x.grm.id").write_text(text, encoding="utf-8")
    np.arange(3, dtype="<f4").tofile(tmp_path / "x.grm.bin")
    assert vech.read(tmp_path / "x.grm.bin").labels == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"f a\nf\n", "x.grm.id, line 2: has 1 words, and FID IID are 2"),
        (b"f a\n\nf b\n", "x.grm.id, line 2: is blank"),
        (b"#FID\nf\n", "x.grm.id, line 1: names the columns #FID: there must be an IID"),
        (b"f \xff\n", "x.grm.id, byte 2: is not text in UTF-8"),
        (b"f \x1b[31m\n", "rows of x.grm.id need 4"),
    ],
)
def test_ids_that_are_none(tmp_path, text, words):
    (tmp_path / "x.grm.id").write_bytes(text)
    np.arange(3, dtype="<f4").tofile(tmp_path / "x.grm.bin")
    with fails(words) as caught:
        vech.read(tmp_path / "x.grm.bin")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("labels", [list("abcde"), PEOPLE])
def test_labels_go_into_the_ids(tmp_path, labels):
    S = vech.Packed(np.arange(15.0), "numpy-tril", labels=labels)
    vech.write(tmp_path / "x.rel.bin", S)
    back = vech.read(tmp_path / "x.rel.bin")
    assert back.labels == tuple(labels)
    assert np.array_equal(back.half, S.half)


@pytest.mark.parametrize(
    "labels", [range(5), ["a", "b", "c", "d", "e f"], [("#f", "a")] * 5, [("a", "b", "c")] * 5]
)
def test_labels_that_no_ids_hold(tmp_path, labels):
    with pytest.raises(
        TypeError, match=r"x.rel.bin: the label .* does not go into an .id file, whose labels are text"
    ):
        vech.write(tmp_path / "x.rel.bin", vech.Packed(np.arange(15.0), labels=labels))
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused(tmp_path):
    half, labels = np.arange(15.0), list("abcde")
    for name, store, words in [
        (
            "x.grm.bin",
            vech.Packed(half),
            "holds float32, and this is float64: S.astype('float32') makes it so",
        ),
        ("x.rel.bin", vech.Packed(half.astype("i8")), "holds float64 or float32, and this is int64"),
        (
            "x.rel.bin",
            vech.Packed(half, "condensed", kind="skew"),
            "holds a symmetric matrix, and this one is skew",
        ),
    ]:
        with pytest.raises(TypeError, match=re.escape(words)):
            vech.write(tmp_path / name, store)
    with pytest.raises(
        ValueError, match=r"x.king.bin: the diagonal .* vech.io.expand .vech expand. writes the square"
    ):
        vech.write(tmp_path / "x.king.bin", vech.Packed(half + 1, labels=labels))
    with pytest.raises(ValueError, match="GCTA's matrices are triangles"):
        vech.io.expand(tmp_path / "x.grm.bin", vech.Packed(half))
    with pytest.raises(
        ValueError,
        match=r"x.rel.bin: x.rel.id names each row, and this store has no labels: S.with_labels\(names\)",
    ):
        vech.write(tmp_path / "x.rel.bin", vech.Packed(half))
    assert not list(tmp_path.iterdir())
    vech.io.expand(tmp_path / "x.king.bin", vech.Packed(half + 1, labels=labels))
    assert np.array_equal(
        vech.read(tmp_path / "x.king.bin").half, vech.convert(half + 1, "vech", "numpy-tril")
    )


def test_numbers_never_get_the_labels_of_others(grm, monkeypatch):
    others = vech.Packed(np.arange(15, dtype="f4"), labels=list("abcde"))
    with pytest.raises(
        FileExistsError, match=r"its rows named by x.grm.id, which would change: remove it first.*N.bin"
    ):
        vech.write(grm, others)
    assert vech.read(grm).labels == PEOPLE
    (grm.parent / "x.grm.N.bin").unlink()

    real = drafts.Draft.publish

    def dies(made):
        if made.target.name == "x.grm.bin":
            raise KeyboardInterrupt
        real(made)

    monkeypatch.setattr(drafts.Draft, "publish", dies)
    with pytest.raises(KeyboardInterrupt):
        vech.write(grm, others)
    assert vech.read(grm).labels == PEOPLE
    monkeypatch.undo()
    vech.write(grm, others)
    assert vech.read(grm).labels == tuple("abcde")
    assert sorted(os.listdir(grm.parent)) == ["x.grm.bin", "x.grm.id"]


def test_nothing_is_overwritten_unasked(grm):
    before = grm.read_bytes()
    with pytest.raises(FileExistsError):
        vech.write(grm, read("plink19.grm.bin"), overwrite=False)
    (grm.parent / "x.grm.N.bin").unlink()
    grm.unlink()
    with pytest.raises(FileExistsError, match=r"x\.grm\.id"):
        vech.write(grm, vech.Packed(np.arange(15, dtype="f4"), labels=list("abcde")), overwrite=False)
    vech.write(grm, read("plink19.grm.bin"), overwrite=False)
    assert grm.read_bytes() == before


@pytest.mark.parametrize("n", [0, 1])
def test_small_and_empty(tmp_path, n):
    for suffix, layout in [("grm", "numpy-tril"), ("rel", "numpy-tril"), ("king", "strict-tril")]:
        if n == 0 and suffix == "king":
            continue  # a strict half is of one row at least
        S = vech.Packed(np.ones(vech.as_layout(layout).length(n), "f4"), layout, labels=["a"] * n)
        vech.write(tmp_path / f"x{n}.{suffix}.bin", S)
        back = vech.read(tmp_path / f"x{n}.{suffix}.bin")
        assert (back.n, back.labels) == (n, S.labels)
