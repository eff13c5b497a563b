"""Formatted checkpoint files, of iodata and of Gaussian itself."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import vech
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
DENSITY = [
    [1, 0.5, -0.25, 1e-3],
    [0.5, 2, 0.333333333, -1e-120],
    [-0.25, 0.333333333, 3, 4],
    [1e-3, -1e-120, 4, 5e10],
]
TRIANGLES = ("Total SCF Density", "Spin SCF Density", "Cartesian Force Constants")


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return Path(shutil.copy(DATA / "iodata.fchk", tmp_path / "a.fchk"))


def changed(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


def test_each_triangle_by_its_name(path):
    total, spin, force = (vech.read(f"{path}::{name}") for name in TRIANGLES)
    assert np.array_equal(total.expand(), DENSITY)
    np.testing.assert_allclose(spin.expand(), total.expand() / 2, rtol=1e-8)
    assert np.array_equal(
        force.expand(),
        np.add.outer(np.arange(6) * 6, np.arange(6)) + np.add.outer(np.arange(6), np.arange(6) * 6),
    )
    assert total.layout == vech.as_layout("gaussian-fchk")


def test_which_triangle_is_said(path):
    listed = ", ".join(f"'a.fchk::{name}'" for name in TRIANGLES)
    with fails(f"a.fchk: holds more than one matrix: there are {listed}"):
        vech.read(path)
    with fails(f"a.fchk: has no triangle 'Nuclear charges': there are {listed}"):
        vech.read(f"{path}::Nuclear charges")
    with pytest.raises(ValueError, match=r"\.fchk is read and not written"):
        vech.write(path, vech.Packed(np.arange(3.0)))


def test_the_only_triangle_needs_no_name(path):
    for name in TRIANGLES[1:]:
        changed(path, name.ljust(40), "Other".ljust(40))
        changed(path, "Other", f"O{name[:4]}")
    assert np.array_equal(vech.read(path).expand(), DENSITY)


def test_what_gaussian_wrote():
    iodata = pytest.importorskip("iodata")
    from importlib.resources import files

    folder = files("iodata.test.data")
    for name, triangle, key in [
        ("h2o_sto3g", "Total SCF Density", "scf"),
        ("ch3_hf_sto3g", "Spin SCF Density", "scf_spin"),
        ("nitrogen-cc", "Total CC Density", "post_scf_ao"),
    ]:
        path = folder / f"{name}.fchk"
        assert np.array_equal(
            vech.read(f"{path}::{triangle}").expand(), iodata.load_one(str(path)).one_rdms[key]
        )


def test_fortran_leaves_out_the_letter_of_long_exponents(path):
    changed(path, "-1.00000000E-120", " -1.00000000-120")
    assert np.array_equal(vech.read(f"{path}::Total SCF Density").expand(), DENSITY)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Number of basis functions", "Number of basic functions", "has no triangle 'Total SCF Density'"),
        (
            "  1.00000000E+00  5.00000000E-01  2",
            "  1.00000000E+00  5.0000_000E-01  2",
            "is not 5 numbers of 16 letters",
        ),
        (
            "  1.00000000E+00  5.00000000E-01  2.00000000E+00",
            "  1.00000000E+00  5.00000000E-01",
            "is not 5 numbers",
        ),
        (
            "Total SCF Density                          R   N=          10",
            "Total SCF Density                          R   N=999999999999",
            "says 999,999,999,999 numbers of 'Total SCF Density', and ends before",
        ),
        (
            "Total SCF Density                          R   N=          10",
            "Total SCF Density                          R   N=          15",
            "has no triangle 'Total SCF Density'",
        ),
        ("Spin SCF Density ", "Total SCF Density", "has 'Total SCF Density' twice"),
        (
            f"{'Number of basis functions':<40}   I                4",
            f"{'Number of basis functions':<40}   I              4.5",
            "says Number of basis functions '4.5'",
        ),
    ],
)
def test_what_is_wrong_is_said(path, old, new, words):
    changed(path, old, new)
    with fails(words):
        vech.read(f"{path}::Total SCF Density")


@pytest.mark.parametrize("text", ["", "\n\n\n", "title\ntype\n\x1b[31m\n"])
def test_another_file_of_that_name(path, text):
    path.write_text(text)
    with fails("says no 'Number of basis functions', as formatted checkpoint files do"):
        vech.read(path)


def test_numbers_beyond_float64_are_no_infinities(path):
    changed(path, "5.00000000E+10", "5.00000000+999")
    with fails("holds a number beyond float64 in"):
        vech.read(f"{path}::Total SCF Density")
