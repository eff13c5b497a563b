"""Triangles of Gaussian and PySCF: their numbers, an energy, and the cones of SCS and Clarabel."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import vech

DATA = Path(__file__).parent.parent / "io" / "data"


@pytest.fixture(autouse=True)
def files(folder):
    """H2 in 6-31G by PySCF, and a checkpoint with a density by IOData."""
    shutil.copy(DATA / "pyscf.fcidump", folder / "h2.fcidump")
    shutil.copy(DATA / "iodata.fchk", folder / "job.fchk")


def test_integrals_to_an_energy():
    h = vech.read("h2.fcidump::h1e")
    eri = vech.read("h2.fcidump::eri").to_packed("pyscf-tril")
    energy = 2 * h[0, 0] + eri[0, 0]  # of two electrons in the lowest orbital, but for the nuclei
    by_hand = {}
    for line in Path("h2.fcidump").read_text().partition("&END")[2].splitlines():
        value, *at = line.split() or ["0"]
        by_hand[tuple(map(int, at))] = float(value)
    assert energy == 2 * by_hand[1, 1, 0, 0] + by_hand[1, 1, 1, 1]
    assert h[3, 1] == by_hand[4, 2, 0, 0]
    assert eri[2, 0] == by_hand[2, 2, 1, 1]  # pairs: 11, 21, 22
    np.testing.assert_array_equal(vech.expand(eri.half, "pyscf-tril"), eri.expand())


def test_pyscf_reads_the_same():
    fcidump = pytest.importorskip("pyscf.tools.fcidump", reason="it wrote the file")
    theirs = fcidump.read("h2.fcidump", verbose=False)
    np.testing.assert_array_equal(vech.read("h2.fcidump::h1e").expand(), theirs["H1"])
    eri = vech.read("h2.fcidump::eri").to_packed("pyscf-tril")
    from pyscf import ao2mo

    np.testing.assert_array_equal(eri.half, ao2mo.restore(8, theirs["H2"], 4).ravel())


@pytest.fixture
def nearest():
    """Force constants at a saddle, and the semidefinite matrix that is nearest, by NumPy."""
    P = vech.read("job.fchk::Cartesian Force Constants")
    values, vectors = np.linalg.eigh(P.expand())
    assert values[0] < 0
    return P, (vectors * values.clip(0)) @ vectors.T


def test_clarabel_takes_its_order(nearest):
    clarabel = pytest.importorskip("clarabel", reason="it solves")
    P, wanted = nearest
    c = P.to_layout("clarabel-psd").half
    eye = scipy.sparse.eye_array(len(c), format="csc")
    cones = [clarabel.PSDTriangleConeT(P.n)]
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.tol_gap_abs, settings.tol_gap_rel = False, 1e-13, 1e-13
    solver = clarabel.DefaultSolver(
        scipy.sparse.csc_matrix(eye), -c, scipy.sparse.csc_matrix(-eye), np.zeros(len(c)), cones, settings
    )
    np.testing.assert_allclose(
        vech.expand(np.array(solver.solve().x), "clarabel-psd"), wanted, atol=1e-5 * np.abs(wanted).max()
    )


def test_scs_takes_its_order(nearest):
    scs = pytest.importorskip("scs", reason="it solves")
    P, wanted = nearest
    c = vech.convert(P.half, "gaussian-fchk", "scs-psd")
    eye = scipy.sparse.csc_matrix(scipy.sparse.eye_array(len(c)))
    data = {"P": eye, "c": -c, "A": -eye, "b": np.zeros(len(c))}
    found = scs.SCS(data, {"s": [P.n]}, verbose=False, eps_abs=1e-9, eps_rel=1e-9).solve()["x"]
    np.testing.assert_allclose(vech.expand(found, "scs-psd"), wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_scale_keeps_the_norm():
    P = vech.read("job.fchk::Total SCF Density")
    half = P.to_layout("scs-psd").half
    assert half @ half == pytest.approx(np.linalg.norm(P.expand()) ** 2)


def test_the_same_on_the_command_line(shell):
    assert "numpy-tril" in shell("vech info 'job.fchk::Total SCF Density'")
    shell("vech convert 'job.fchk::Total SCF Density' --to scs-psd -o density.npy")
    shell("vech convert h2.fcidump::h1e -o h.mtx")
    shell("vech plot h2.fcidump::eri -o eri.png")
    said = shell("vech info density.npy")
    assert "svec-lower" in said
    full = vech.read("job.fchk::Total SCF Density").expand()
    i, j = np.triu_indices(4)
    np.testing.assert_allclose(np.load("density.npy"), full[j, i] * np.where(i == j, 1, np.sqrt(2)))
    np.testing.assert_array_equal(
        scipy.io.mmread("h.mtx", spmatrix=False).toarray(), vech.read("h2.fcidump::h1e").expand()
    )
