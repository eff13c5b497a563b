"""PLINK's matrices in text and GCTA's pairs, as PLINK wrote them, with the `.id` files of their rows."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
PEOPLE = tuple((f"f{k % 2}", f"s{k}") for k in range(5))
REL = [1.23431, -0.317921, 1.21589, -0.329697, -0.301577, 1.2277, -0.287161, -0.332622, -0.288196, 1.22771]
KING = [-0.549847, -0.555556, -0.532464, -0.518706, -0.558538, -0.522426]


@pytest.mark.parametrize(
    ("name", "layout", "begins"),
    [
        ("plink19-text-triangle.rel", "plink-rel-triangle", REL),
        ("plink19-text-square.rel", "plink-rel-triangle", REL),
        ("plink19-text-square0.rel", "plink-rel-triangle", REL),
        ("plink19-packed.rel.gz", "plink-rel-triangle", REL),
        ("plink2-text.king", "plink-king-triangle", KING),
        ("plink2-text-square.king", "numpy-tril", [0.5, -0.549847, 0.5, -0.555556]),
        ("plink19-text.dist", "plink-dist-triangle", [2693, 2736, 2675]),
        ("plink19-text.mdist", "plink-dist-triangle", [0.448833, 0.456, 0.445833]),
        ("plink19-old.mdist", "numpy-tril", [0, 0.448833, 0, 0.456]),
        ("plink19-text.mibs", "numpy-tril", [1, 0.551167, 1, 0.544]),
        ("plink19-text.grm.gz", "gcta-grm-bin", [1.234313, -0.3179213, 1.215892, -0.3296971]),
    ],
)
def test_what_plink_wrote(name, layout, begins):
    store = vech.read(DATA / name)
    assert (store.n, store.kind, store.labels) == (5, "symmetric", PEOPLE)
    assert store.layout == vech.as_layout(layout)
    assert store.half[: len(begins)].tolist() == begins


def test_pairs_and_matrix_are_the_same_numbers():
    grm, rel = vech.read(DATA / "plink19-text.grm.gz"), vech.read(DATA / "plink19-text-triangle.rel")
    np.testing.assert_allclose(grm.half, rel.half, rtol=5e-6)


@pytest.mark.parametrize(
    ("suffix", "layout", "n"),
    [
        (".rel", "numpy-tril", 3),
        (".mibs", "numpy-tril", 3),
        (".king", "strict-tril", 4),
        (".mdist", "strict-tril", 4),
    ],
)
def test_without_an_id_file_the_suffix_tells_the_diagonal(tmp_path, suffix, layout, n):
    (tmp_path / f"a{suffix}").write_text("1\n2\t3\n4\t5\t6\n")
    store = vech.read(tmp_path / f"a{suffix}")
    assert (store.layout, store.n, store.labels) == (vech.as_layout(layout), n, None)


@pytest.mark.parametrize("suffix", [".rel", ".king"])
@pytest.mark.parametrize(("people", "layout"), [(3, "numpy-tril"), (4, "strict-tril")])
def test_the_id_file_knows_better(tmp_path, suffix, people, layout):
    (tmp_path / f"a{suffix}").write_text("1\n2\t3\n4\t5\t6\n")
    (tmp_path / f"a{suffix}.id").write_text("".join(f"0\ts{k}\n" for k in range(people)))
    store = vech.read(tmp_path / f"a{suffix}")
    assert store.layout == vech.as_layout(layout) and store.labels == tuple(f"s{k}" for k in range(people))


def test_missing_numbers_and_windows(tmp_path):
    (tmp_path / "a.rel").write_bytes(b"1\r\nnan\t3\r\nNA\t5\t6\r\n")
    np.testing.assert_array_equal(vech.read(tmp_path / "a.rel").half, [1, np.nan, 3, np.nan, 5, 6])


@pytest.mark.parametrize(
    ("name", "text", "people", "message"),
    [
        ("a.rel", "1\n2\t3\n", 5, "a.rel: has 2 rows, and a.rel.id names 5"),
        ("a.rel", "1\n2\t3\n4\t5\n", 3, "a.rel, line 3: has 2 numbers, and line 2 has 2"),
        ("a.rel", "1\n2\tx\n", 2, "a.rel, line 2: holds 'x', which is no number"),
        ("a.rel", "1\t2\n3\t4\n", 2,
         "a.rel, line 2: matrix is not symmetric: a[1, 0] is 3.0, but a[0, 1] is 2.0"),
        ("a.rel", "", 0, "a.rel: holds no numbers"),
        ("a.grm.gz", "1\t1\t9\t1.5\n2\t1\t9\t0.5\n", 2, "a.grm.gz, line 2: ends in row 2, which has 2 lines"),
        ("a.grm.gz", "1\t1\t9\t1.5\n2\t2\t9\t0.5\n", 2,
         "a.grm.gz, line 2: holds '2\\t2\\t9\\t0.5', and row 2, row 1, a count and a number come here"),
        ("a.grm.gz", "1\t1\t9\t1.5\n", 2, "a.grm.gz: has 1 rows, and a.grm.id names 2"),
        ("a.grm.gz", "1\t1\t9\t1_5\n", 1, "a.grm.gz, line 1: holds '1_5', which is no number"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, name, text, people, message):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    (tmp_path / f"{name.removesuffix('.gz')}.id").write_text("".join(f"f{k} s{k}\n" for k in range(people)))
    with pytest.raises(FileFormatError) as caught:
        vech.read(path)
    assert str(tmp_path / message) in str(caught.value)


def test_pairs_without_names(tmp_path):
    shutil.copy(DATA / "plink19-text.grm.gz", tmp_path / "a.grm.gz")
    assert vech.read(tmp_path / "a.grm.gz").labels is None
    (tmp_path / "a.grm").write_bytes(gzip.decompress((tmp_path / "a.grm.gz").read_bytes()))
    assert vech.read(tmp_path / "a.grm").n == 5


def test_they_are_read_and_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"a\.rel: \.rel is read and not written: write \.npy"):
        vech.write(tmp_path / "a.rel", vech.Packed(np.arange(3.0)))
