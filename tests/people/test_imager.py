"""A million diffusion tensors: DIPY's order, MRtrix's, NIfTI's, and their eigenvalues."""

import numpy as np
import pytest

import vech

SIX = np.random.default_rng(6).normal(size=(100, 100, 100, 6)).astype(np.float32)
AT = (3, 14, 15)


def test_a_million_tensors():
    tensors = vech.expand(SIX, "dipy-lower")
    mrtrix = vech.convert(SIX, "dipy-lower", "mrtrix-dwi2tensor")
    fsl = vech.convert(SIX, "dipy-lower", "fsl-dtifit")
    values = np.linalg.eigvalsh(tensors[AT[0]])
    one = vech.Packed(SIX[AT], "dipy-lower", labels=["x", "y", "z"])

    xx, xy, yy, xz, yz, zz = np.moveaxis(SIX, -1, 0)
    rows = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    np.testing.assert_array_equal(tensors, np.moveaxis(np.array(rows), (0, 1), (-2, -1)))
    np.testing.assert_array_equal(mrtrix, np.stack([xx, yy, zz, xy, xz, yz], axis=-1))
    np.testing.assert_array_equal(fsl, np.stack([xx, xy, xz, yy, yz, zz], axis=-1))
    np.testing.assert_allclose(vech.linalg.eigh(one)[0], values[AT[1:]], rtol=1e-4, atol=1e-6)
    assert one["x", "z"] == xz[AT] and str(one).split()[:3] == ["x", "y", "z"]
    with pytest.raises(
        ValueError, match=r"100, 6\): a store holds one matrix.* vech\.expand and .* take many"
    ):
        vech.Packed(SIX, "dipy-lower")
    with pytest.raises(
        ValueError, match=r"eigh takes one matrix, and eigh\(vech\.pack\(S\), batch='vech'\) many"
    ):
        vech.linalg.eigh(tensors)


def test_dipy_agrees():
    dti = pytest.importorskip("dipy.reconst.dti", reason="the order is its own")
    tensors = vech.expand(SIX[0], "dipy-lower")
    np.testing.assert_array_equal(tensors, dti.from_lower_triangular(SIX[0]))
    np.testing.assert_array_equal(vech.pack(tensors, "dipy-lower"), dti.lower_triangular(tensors))
    values = np.linalg.eigvalsh(tensors)[..., ::-1]
    fa = dti.fractional_anisotropy(values)
    norm = np.linalg.norm(vech.convert(SIX[0].astype(float), "dipy-lower", "mandel"), axis=-1)
    trace = np.trace(tensors, axis1=-2, axis2=-1)
    np.testing.assert_allclose(fa, np.sqrt(1.5 * (1 - trace**2 / 3 / norm**2)).clip(0), atol=1e-3)


def test_an_image_of_them(folder):
    nibabel = pytest.importorskip("nibabel", reason="it writes and reads the image")
    tensors = vech.expand(SIX[:4, :5, :6], "dipy-lower")
    image = nibabel.Nifti1Image(vech.pack(tensors, "nifti-symmatrix")[:, :, :, None, :], np.eye(4))
    image.header.set_intent("symmetric matrix", (3,))
    image.to_filename("tensors.nii.gz")
    back = np.asarray(nibabel.load("tensors.nii.gz").dataobj)
    np.testing.assert_array_equal(vech.expand(back[:, :, :, 0, :], "nifti-symmatrix"), tensors)


def test_one_tensor_on_the_command_line(shell):
    np.save("six.npy", SIX[AT])
    np.save("full.npy", vech.expand(SIX[AT], "dipy-lower"))
    assert "only lapack-upper = numpy-tril fits" in shell("vech identify six.npy --matrix full.npy")
    shell("vech convert six.npy --from dipy-lower --to mrtrix-dwi2tensor -o other.npy")
    np.testing.assert_array_equal(np.load("other.npy"), SIX[AT][[0, 2, 5, 1, 3, 4]])
    assert "abaqus-voigt" in shell("vech info other.npy")
    shell("vech plot six.npy -o tensor.png --layout dipy-lower")
