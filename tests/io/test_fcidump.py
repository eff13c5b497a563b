"""Integrals that PySCF wrote as FCIDUMP."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError, fcidump

DATA = Path(__file__).parent / "data"
TEXT = """\
 &FCI NORB=  3,NELEC=2,MS2=0,
  ORBSYM=1,1,1,
  ISYM=1,
 &END
 0.5    1    1    1    1
 -0.25  2    1    1    1
 1.5D+00 2 1 3 2
 2e-3   3    3    2    2
 -4.0   1    1    0    0
 7.0    3    1    0    0
 9.0    2    0    0    0
 0.75   0    0    0    0
"""


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "FCIDUMP"
    path.write_text(TEXT)
    return path


def test_the_letters_of_the_format(path):
    h1e = vech.read(f"{path}::h1e")
    assert np.array_equal(h1e.expand(), [[-4, 0, 7], [0, 0, 0], [7, 0, 0]])
    eri = vech.read(f"{path}::/eri")
    wanted = np.zeros((6, 6))  # pairs 11 21 22 31 32 33
    wanted[0, 0], wanted[1, 0], wanted[0, 1], wanted[1, 4], wanted[4, 1] = 0.5, -0.25, -0.25, 1.5, 1.5
    wanted[5, 2] = wanted[2, 5] = 2e-3
    assert np.array_equal(eri.expand(), wanted)


def test_what_pyscf_wrote():
    h1e, eri = (vech.read(f"{DATA / 'pyscf.fcidump'}::{part}") for part in ("h1e", "eri"))
    assert (h1e.n, eri.n) == (4, 10)
    # what pyscf.tools.fcidump.read gave: H1, and H2 in eightfold symmetry
    np.testing.assert_allclose(
        h1e.expand()[[0, 1, 2, 3], [0, 1, 2, 3]], [-1.24604231, -0.54896305, -0.1798558, 0.21533498]
    )
    np.testing.assert_allclose(h1e.expand()[3, 1], 0.20735549, rtol=1e-7)
    half = eri.to_packed("pyscf-tril").half
    np.testing.assert_allclose(
        half[[0, 2, 3, 5, 6, 54]],
        [0.650224962, 0.0799938365, 0.433714834, 0.385783167, 0.167255905, 0.740811851],
    )


def test_pyscf_reads_the_same():
    tools = pytest.importorskip("pyscf.tools.fcidump")
    found = tools.read(str(DATA / "pyscf.fcidump"), verbose=False)
    h1e, eri = (vech.read(f"{DATA / 'pyscf.fcidump'}::{part}") for part in ("h1e", "eri"))
    assert np.array_equal(h1e.expand(), found["H1"])
    np.testing.assert_allclose(eri.to_packed("pyscf-tril").half, found["H2"], atol=1e-14)


def test_the_name_may_be_a_suffix(path):
    shutil.copy(path, path.with_name("h2.fcidump"))
    assert vech.read(path.with_name("h2.fcidump::h1e")).n == 3


def test_which_of_both_is_said(path):
    for name, words in [("", "holds more than one matrix"), ("::x", "has no 'x'")]:
        with fails(
            f"{words}: say FCIDUMP::h1e (of one electron, orbitals by orbitals) "
            f"or FCIDUMP::eri ((ij|kl), pairs"
        ):
            vech.read(f"{path}{name}")
    with pytest.raises(ValueError, match="fcidump is read and not written"):
        vech.write(f"{path}::h1e", vech.Packed(np.arange(3.0)))


def test_an_integral_may_be_there_in_every_order(path, monkeypatch):
    monkeypatch.setattr(fcidump, "CHUNK", 3)
    half = vech.read(f"{path}::eri").expand()
    again = " 1.5 3 2 2 1\n 1.5 2 3 1 2\n 1.5 1 2 2 3\n 7.0 1 3 0 0\n 2.0000000000000001e-3 2 2 3 3\n"
    path.write_text(TEXT + again)
    assert np.array_equal(vech.read(f"{path}::eri").expand(), half)
    path.write_text(TEXT + " 1.25 3 2 2 1\n")
    with fails("says both 1.25 and 1.5 of one integral"):
        vech.read(f"{path}::eri")


def test_far_more_orbitals_than_integrals_take_no_memory(path):
    path.write_text(TEXT.replace("NORB=  3", "NORB=90000"))
    S = vech.read(f"{path}::eri")
    assert (S.n, S.nnz) == (4_050_045_000, 4)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("&FCI", "FCI", "line 1: does not begin with &FCI"),
        ("NORB=  3,", "", "line 4: says no NORB= from 1 to 92,681, the number of orbitals"),
        ("NORB=  3,", "NORB=0,", "says no NORB="),
        ("NORB=  3,", "NORB=99999999999,", "says no NORB="),
        (" &END", "", "has a header without an end, &END or /"),
        ("ISYM=1", "IUHF=1", "has integrals of two spins (UHF), of which vech reads none"),
        (
            "-0.25  2",
            "-0.25  4",
            "line 6: has the indices 4 1 1 1: four from 1 to 3, two and 0 0, one and 0 0 0, or",
        ),
        ("-0.25  2    1", "-0.25  2    0", "line 6: has the indices 2 0 1 1"),
        ("-0.25  2    1", "-0.25  2", "line 6: '-0.25 2 1 1' is not a number and four indices"),
        (
            "-0.25",
            "(-0.25,0.0)",
            "line 6: '(-0.25,0.0) 2 1 1 1' is complex, and integrals of real orbitals are read",
        ),
        ("-0.25", "nan", "line 6: 'nan 2 1 1 1' is not a number"),
        ("-0.25  2", "-0.25 2_0", "line 6: '-0.25 2_0 1 1 1' is not a number"),
        ("-0.25  2", "-0.25  99999999999999999999", "line 6: '-0.25 99999999999999999999 1 1 1' is not"),
        ("-0.25", "\x1b[31m", "line 6: '\\x1b[31m 2 1 1 1' is not a number"),
    ],
)
def test_what_is_wrong_is_said(path, old, new, words):
    path.write_text(TEXT.replace(old, new, 1))
    with fails(words) as caught:
        vech.read(f"{path}::eri")
    assert str(caught.value).isprintable()


def test_numbers_beyond_float64_are_no_infinities(path):
    path.write_text(TEXT.replace("1.5D+00", "1.5D+400"))
    for part in ("h1e", "eri"):
        with fails("FCIDUMP, line 7: holds 1.5D+400, which is beyond float64"):
            vech.read(f"{path}::{part}")
