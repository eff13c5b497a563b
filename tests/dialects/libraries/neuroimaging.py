"""Neuroimaging: connectomes, covariance features, diffusion tensors."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered
from libraries.programs import version_of

REAL = ("i4", "i8", "f2", "f4", "f8")


@asks("nilearn")
def nilearn():
    from nilearn.connectome import sym_matrix_to_vec, vec_to_sym_matrix

    for n in (4, 5):
        for dtype in (*REAL, "c8", "c16"):
            matrix = labelled(n, dtype)
            half = sym_matrix_to_vec(matrix)
            yield Evidence("nilearn-sym-vec", "packs", "symmetric", matrix, half)
            matrix = labelled(n, dtype, diagonal=0)
            half = sym_matrix_to_vec(matrix, discard_diagonal=True)
            yield Evidence("nilearn-sym-vec-nodiag", "packs", "symmetric", matrix, half)
        for dtype in REAL:
            half = numbered(n * (n + 1) // 2, dtype)
            yield Evidence("nilearn-sym-vec", "expands", "symmetric", half, vec_to_sym_matrix(half))
            half = numbered(n * (n - 1) // 2, dtype)
            matrix = vec_to_sym_matrix(half, diagonal=np.zeros(n, dtype))
            yield Evidence("nilearn-sym-vec-nodiag", "expands", "symmetric", half, matrix)


@asks("pyriemann")
def pyriemann():
    from pyriemann.geometry.tangentspace import unupper, upper

    for n in (4, 5):
        for dtype in ("i4", "i8", "f4", "f8", "c8", "c16"):
            kind = "hermitian" if dtype[0] == "c" else "symmetric"
            matrix = labelled(n, dtype)
            yield Evidence("pyriemann-upper", "packs", kind, matrix, upper(matrix))
            if dtype[0] != "i":
                half = upper(labelled(n, dtype, kind))
                yield Evidence("pyriemann-upper", "expands", kind, half, unupper(half))


@asks("dipy")
def dipy():
    from dipy.reconst.dti import from_lower_triangular, lower_triangular
    from dipy.reconst.utils import convert_tensors

    formats = {"fsl": "fsl-dtifit", "mrtrix": "mrtrix-dwi2tensor", "ants": "nifti-symmatrix"}
    for dtype in (*REAL, "c8", "c16"):
        matrix = labelled(3, dtype)
        half = numbered(6, dtype)
        yield Evidence("dipy-lower", "packs", "symmetric", matrix, lower_triangular(matrix))
        yield Evidence("dipy-lower", "expands", "symmetric", half, from_lower_triangular(half))
        matrix = labelled(3, dtype, "symmetric")  # the converters start from the lower half
        own = lower_triangular(matrix).reshape(1, 1, 1, 6)
        for name, dialect in formats.items():
            theirs = convert_tensors(own, "dipy", name).ravel()
            yield Evidence(dialect, "packs", "symmetric", matrix, theirs)
            volume = half.reshape((1, 1, 1, 1, 6) if name == "ants" else (1, 1, 1, 6))
            ours = convert_tensors(volume, name, "dipy").ravel()
            yield Evidence(dialect, "expands", "symmetric", half, from_lower_triangular(ours))


@asks("itk")
def itk():
    import itk

    def full(memory, scalar, n):
        tensor = itk.SymmetricSecondRankTensor[scalar, n]()  # wrapped for n = 2, 3, 4
        for place, number in enumerate(memory):
            tensor.SetNthComponent(place, float(number))
        return np.array([[tensor(i, j) for j in range(n)] for i in range(n)], memory.dtype)

    for n in (3, 4):
        for scalar, dtype in ((itk.F, "<f4"), (itk.D, "<f8")):
            half = numbered(n * (n + 1) // 2, dtype)
            yield Evidence("itk-symmetric-tensor", "expands", "symmetric", half, full(half, scalar, n))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "half.nii"
                path.write_bytes(nifti(half, n))
                reader = itk.ImageFileReader[itk.VectorImage[scalar, 3]].New(FileName=str(path))
                reader.Update()
                memory = itk.array_from_image(reader.GetOutput()).ravel()  # in another order than the file
            yield Evidence("nifti-symmatrix", "expands", "symmetric", half, full(memory, scalar, n))


def nifti(half, n):
    """A NIfTI-1 file of one symmetric matrix: intent 1005, the numbers along the fifth axis."""
    header = np.zeros(352, "u1")
    for offset, dtype, values in (
        (0, "<i4", [348]),
        (40, "<i2", [5, 1, 1, 1, 1, half.size, 1, 1]),  # dim
        (56, "<f4", [n]),  # intent_p1
        (68, "<i2", [1005, {"f4": 16, "f8": 64}[half.dtype.str[1:]], 8 * half.itemsize]),
        (76, "<f4", [1] * 8),  # pixdim
        (108, "<f4", [header.size, 1]),  # vox_offset, scl_slope
        (344, "S4", [b"n+1"]),
    ):
        piece = np.array(values, dtype)
        header[offset : offset + piece.nbytes] = piece.view("u1")
    return header.tobytes() + half.tobytes()


@asks("mrtrix3", version_of("dwi2tensor", "-version", pattern=r"dwi2tensor (\S+)"))
def mrtrix3():
    """It fits the tensor to signals, which are made from one here."""
    matrix = labelled(3, "f8", "symmetric") / 1e5
    directions = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 0], [1, 0, 1], [1, 0, -1]])
    directions = np.concatenate([directions, [[0, 1, 1], [0, 1, -1], [1, 1, 1], [0, 0, 0]]])
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1)
    weights = np.where(directions.any(axis=1), 1000, 0)
    signal = 1000 * np.exp(-weights * np.einsum("di,ij,dj->d", directions, matrix, directions))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        shape = f"dim: 1,1,1,{signal.size}\nvox: 1,1,1,1\nlayout: +0,+1,+2,+3\n"
        header = f"mrtrix image\n{shape}datatype: Float64LE\nfile: signal.dat\nEND\n"
        (path / "signal.mih").write_text(header)
        signal.tofile(path / "signal.dat")
        np.savetxt(path / "gradients", np.column_stack([directions, weights]))
        options = ["-quiet", "-grad", path / "gradients"]
        command = ["dwi2tensor", *options, path / "signal.mih", path / "half.mih"]
        subprocess.run(command, check=True, capture_output=True)
        half = np.fromfile(path / "half.dat", "<f4")
    # A fit in single precision.
    yield Evidence("mrtrix-dwi2tensor", "packs", "symmetric", matrix, half, 1e-5)
