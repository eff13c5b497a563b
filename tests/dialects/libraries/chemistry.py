"""Quantum chemistry: densities, overlaps, force constants."""

import tempfile
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered


@asks("pyscf")
def pyscf():
    from pyscf import lib

    kinds = {
        "symmetric": lib.SYMMETRIC,
        "hermitian": lib.HERMITIAN,
        "skew": lib.ANTIHERMI,
        "skew-hermitian": lib.ANTIHERMI,
    }
    for n in (4, 5):
        for dtype in ("i4", "i8", "f4", "f8", "c8", "c16"):
            of_complex = dtype[0] == "c"
            matrix = labelled(n, dtype)
            kind = "hermitian" if of_complex else "symmetric"
            yield Evidence("pyscf-tril", "packs", kind, matrix, lib.pack_tril(matrix))
            for kind in ("symmetric", "hermitian", "skew-hermitian") if of_complex else ("symmetric", "skew"):
                half = lib.pack_tril(labelled(n, dtype, kind))
                yield Evidence("pyscf-tril", "expands", kind, half, lib.unpack_tril(half, kinds[kind]))
        half = numbered(n * (n + 1) // 2)
        rows = np.stack([lib.unpack_row(half, row) for row in range(n)])
        yield Evidence("pyscf-tril", "expands", "symmetric", half, rows)


@asks("qc-iodata")
def qc_iodata():
    from importlib.resources import files

    from iodata import IOData, dump_one, load_one
    from iodata.basis import MolecularBasis, Shell
    from iodata.convert import HORTON2_CONVENTIONS

    def field(path, name="Total SCF Density"):
        """The numbers of a field of the text file."""
        head, _, tail = path.read_text().partition(f"\n{name} ")
        count, _, numbers = tail.partition("N=")[2].partition("\n")
        assert head
        return np.array(numbers.split()[: int(count)], "f8")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "density.fchk"
        for n in (4, 5):
            matrix = labelled(n)
            sphere = Shell(0, [0], ["c"], np.ones(1), np.ones((1, 1)))
            basis = MolecularBasis([sphere] * n, HORTON2_CONVENTIONS, "L2")
            hydrogen = {"atnums": [1], "atcorenums": [1.0], "atcoords": np.zeros((1, 3)), "charge": 0}
            dump_one(IOData(**hydrogen, obasis=basis, one_rdms={"scf": matrix}), str(path))
            yield Evidence("gaussian-fchk", "packs", "symmetric", matrix, field(path))

    # What Gaussian itself wrote: its density, beside the orbitals that it is made from.
    for name in ("h2o_sto3g", "hf_sto3g"):
        path = files("iodata.test.data") / f"{name}.fchk"
        half = field(path)
        molecule = load_one(str(path))
        orbitals = molecule.mo.coeffs * np.sqrt(molecule.mo.occs)
        within = 1e-7  # nine digits are written
        yield Evidence("gaussian-fchk", "packs", "symmetric", orbitals @ orbitals.T, half, within)
        yield Evidence("gaussian-fchk", "expands", "symmetric", half, molecule.one_rdms["scf"])
