"""Crystallography: displacement tensors of atoms."""

import numpy as np

from evidence import Evidence, asks, labelled, numbered


@asks("gemmi")
def gemmi():
    import gemmi

    def by_name(cls, matrix):
        names = {f"u{i + 1}{j + 1}": matrix[i, j] for i in range(3) for j in range(i, 3)}
        return cls(**names)

    for cls, dtype in ((gemmi.SMat33f, "f4"), (gemmi.SMat33d, "f8")):
        matrix = labelled(3, dtype, "symmetric")
        tensor = by_name(cls, matrix)
        yield Evidence("pdb-anisou", "packs", "symmetric", matrix, np.array(tensor.elements_pdb(), dtype))
        yield Evidence("voigt-stress", "packs", "symmetric", matrix, np.array(tensor.elements_voigt(), dtype))

    # The file holds whole numbers, of 1/10000 each.
    structure = gemmi.Structure()
    model = structure.add_model(gemmi.Model(1))
    residue = gemmi.Residue()
    residue.name = "ALA"
    atom = gemmi.Atom()
    atom.name, atom.element = "CA", gemmi.Element("C")
    matrix = labelled(3, "i4", "symmetric")
    atom.aniso = by_name(gemmi.SMat33f, matrix / 10000)
    residue.add_atom(atom)
    chain = model.add_chain(gemmi.Chain("A"))
    chain.add_residue(residue)
    lines = structure.make_pdb_string().splitlines()
    (start,) = (line for line in lines if line.startswith("ATOM"))
    (line,) = (line for line in lines if line.startswith("ANISOU"))
    fields = slice(28, 70)
    gave = np.array(line[fields].split(), "i4")
    yield Evidence("pdb-anisou", "packs", "symmetric", matrix, gave)

    half = numbered(6, "i4")
    numbers = "".join(f"{number:7d}" for number in half)
    text = f"{start}\n{line[: fields.start]}{numbers}{line[fields.stop :]}\nEND\n"
    tensor = gemmi.read_pdb_string(text)[0]["A"][0][0].aniso
    matrix = np.array(tensor.as_mat33().tolist(), "f4") * np.float32(10000)
    yield Evidence("pdb-anisou", "expands", "symmetric", half, matrix.round())
