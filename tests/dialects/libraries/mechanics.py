"""Mechanics: stress and strain."""

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered
from libraries.programs import version_of

REAL = ("i4", "i8", "f4", "f8")


@asks("ase")
def ase():
    from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

    for dtype in (*REAL, "c8", "c16"):
        matrix = labelled(3, dtype, "symmetric")  # both halves are averaged
        half = numbered(6, dtype)
        yield Evidence("voigt-stress", "packs", "symmetric", matrix, full_3x3_to_voigt_6_stress(matrix))
        yield Evidence("voigt-stress", "expands", "symmetric", half, voigt_6_to_full_3x3_stress(half))


@asks("pymatgen")
def pymatgen():
    from pymatgen.analysis.elasticity.strain import Strain
    from pymatgen.analysis.elasticity.stress import Stress
    from pymatgen.core.tensors import Tensor

    for dtype in (*REAL, "c8", "c16"):
        matrix = labelled(3, dtype, "symmetric")  # else it warns, and gives the lower half
        half = numbered(6, dtype)
        for cls, dialect in ((Tensor, "voigt-stress"), (Stress, "voigt-stress"), (Strain, "voigt-strain")):
            yield Evidence(dialect, "packs", "symmetric", matrix, cls(matrix).voigt)
            if dtype[0] != "c":  # the imaginary part is lost on that way
                yield Evidence(dialect, "expands", "symmetric", half, np.array(cls.from_voigt(half)))


@asks("mechkit")
def mechkit():
    from mechkit.notation import Converter, ExplicitConverter

    notations = {
        ("voigt", "stress"): "voigt-stress",
        ("voigt", "strain"): "voigt-strain",
        ("mandel6", "stress"): "mandel",
        ("mandel6", "strain"): "mandel",
        ("umat", "stress"): "abaqus-voigt",
        ("umat", "strain"): "abaqus-voigt-strain",
    }
    converter, explicit = Converter(), ExplicitConverter()
    for dtype in (*REAL, "c16"):
        matrix = labelled(3, dtype, "symmetric")  # both halves are averaged
        half = numbered(6, dtype)
        within = 1e-7 if dtype == "f4" else 1e-15  # all goes by way of Mandel's six numbers
        yield Evidence("mandel", "packs", "symmetric", matrix, converter.to_mandel6(matrix), within)
        yield Evidence("mandel", "expands", "symmetric", half, converter.to_tensor(half), within)
        for (notation, quantity), dialect in notations.items():
            gave = explicit.convert(matrix, source="tensor", target=notation, quantity=quantity)
            yield Evidence(dialect, "packs", "symmetric", matrix, gave, within)
            if dtype[0] != "i":  # integers are cut off on that way
                gave = explicit.convert(half, source=notation, target="tensor", quantity=quantity)
                yield Evidence(dialect, "expands", "symmetric", half, gave, within)


@asks("simcoon")
def simcoon():
    from simcoon import t2v_strain, t2v_stress, v2t_strain, v2t_stress

    for dtype in REAL:
        matrix = labelled(3, dtype, "symmetric")  # both halves are averaged
        half = numbered(6, dtype)
        yield Evidence("abaqus-voigt", "packs", "symmetric", matrix, t2v_stress(matrix).ravel())
        yield Evidence("abaqus-voigt-strain", "packs", "symmetric", matrix, t2v_strain(matrix).ravel())
        yield Evidence("abaqus-voigt", "expands", "symmetric", half, v2t_stress(half))
        yield Evidence("abaqus-voigt-strain", "expands", "symmetric", half, v2t_strain(half))


@asks("vtk")
def vtk():
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkPolyData
    from vtkmodules.vtkFiltersExtraction import vtkExtractTensorComponents

    for dtype in ("u1", *REAL):
        half = numbered(6, dtype)
        points = vtkPoints()
        points.InsertNextPoint(0, 0, 0)
        data = vtkPolyData()
        data.SetPoints(points)
        data.GetPointData().SetTensors(numpy_to_vtk(half[None], deep=True))
        components = vtkExtractTensorComponents()
        components.SetInputData(data)
        components.ExtractScalarsOn()
        components.SetScalarModeToComponent()
        scalars = []
        for row, column in np.ndindex(3, 3):
            components.SetScalarComponents(row, column)
            components.Update()
            scalars.append(vtk_to_numpy(components.GetOutput().GetPointData().GetScalars())[0])
        matrix = np.array(scalars).reshape(3, 3)
        yield Evidence("vtk-symmetric-tensor", "expands", "symmetric", half, matrix)


@asks("tensortrax")
def tensortrax():
    from tensortrax.math.special import from_triu_1d, triu_1d

    for dtype in (*REAL, "c8", "c16"):
        for n in (3, 4, 5):
            matrix = labelled(n, dtype)
            yield Evidence("tensortrax-triu", "packs", "symmetric", matrix, triu_1d(matrix))
        half = numbered(6, dtype)  # larger ones raise IndexError
        yield Evidence("tensortrax-triu", "expands", "symmetric", half, from_triu_1d(half))


# A case of one cell.
OPENFOAM = {
    "system/controlDict": "endTime 0; deltaT 1; writeControl timeStep; writeInterval 1; writePrecision 10;",
    "system/fvSchemes": "gradSchemes {} divSchemes {} laplacianSchemes {}",
    "system/fvSolution": "",
    "system/blockMeshDict": """
        vertices ((0 0 0) (1 0 0) (1 1 0) (0 1 0) (0 0 1) (1 0 1) (1 1 1) (0 1 1));
        blocks (hex (0 1 2 3 4 5 6 7) (1 1 1) simpleGrading (1 1 1));
        boundary ();
        defaultPatch { name walls; type patch; }
    """,
    "0/sigma": """
        dimensions [0 0 0 0 0 0 0];
        internalField uniform (1 2 3 4 5 6);
        boundaryField { walls { type calculated; value uniform (0 0 0 0 0 0); } }
    """,
}


@asks("openfoam", version_of("postProcess", "-help", pattern=r"OpenFOAM.*?\((\w+)\)"))
def openfoam():
    """Its function object `components` writes each number of a tensor into a field with its name."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in OPENFOAM.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            kind = "volSymmTensorField" if name == "0/sigma" else "dictionary"
            path.write_text(
                f"FoamFile {{ version 2.0; format ascii; class {kind}; object {path.name}; }}\n{text}"
            )
        for command in ("blockMesh",), ("postProcess", "-func", "components(sigma)"):
            subprocess.run([*command, "-case", folder], check=True, capture_output=True)
        matrix = np.empty((3, 3))
        for name in ("xx", "xy", "xz", "yy", "yz", "zz"):
            i, j = map("xyz".index, name)
            text = Path(folder, "0", f"sigma{name}").read_text()
            matrix[i, j] = matrix[j, i] = float(re.search(r"internalField\s+uniform (\S+);", text)[1])
    yield Evidence("openfoam-symmtensor", "expands", "symmetric", numbered(6), matrix)
