"""Tensors of images: the order of DIPY's six numbers and of NIfTI's matrices, by their own functions."""

import numpy as np
import pytest

import vech

RNG = np.random.default_rng(5)
A = RNG.normal(size=(4, 3, 2, 3, 3))
TENSORS = A @ np.swapaxes(A, -1, -2)


def test_dipy_lower_is_what_dipy_packs_and_expands():
    dti = pytest.importorskip("dipy.reconst.dti", reason="the order is its own")
    six = dti.lower_triangular(TENSORS)
    np.testing.assert_array_equal(vech.pack(TENSORS, "dipy-lower", use="lower"), six)
    np.testing.assert_array_equal(vech.expand(six, "dipy-lower"), dti.from_lower_triangular(six))
    # vech itself is another order
    assert not np.array_equal(vech.expand(six), dti.from_lower_triangular(six))


def test_a_fit_of_dipy_is_read():
    dti = pytest.importorskip("dipy.reconst.dti", reason="the fit is its own")
    gradients = pytest.importorskip("dipy.core.gradients")
    directions = RNG.normal(size=(32, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    bvals, bvecs = np.append(0, np.full(32, 1000.0)), np.concatenate([[[0, 0, 0]], directions])
    truth = 1e-3 * (TENSORS[0, 0, :2] / 10 + np.eye(3))
    signal = 100 * np.exp(-bvals * np.einsum("ti,vij,tj->vt", bvecs, truth, bvecs))
    fit = dti.TensorModel(gradients.gradient_table(bvals, bvecs=bvecs)).fit(signal)
    six = fit.lower_triangular()
    np.testing.assert_allclose(vech.expand(six, "dipy-lower"), truth, rtol=1e-6)
    np.testing.assert_allclose(vech.expand(six, "dipy-lower"), fit.quadratic_form, rtol=1e-9)
    sphere = vech.Packed(six[0], "dipy-lower")
    assert sphere.trace() == pytest.approx(3 * fit.md[0])


def test_a_nifti_image_of_symmetric_matrices_comes_back(tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="it writes and reads the image")
    six = vech.pack(TENSORS, "nifti-symmatrix", use="lower").astype(np.float32)
    image = nibabel.Nifti1Image(six[:, :, :, None, :], np.eye(4))  # the fifth axis has the numbers
    image.header.set_intent("symmetric matrix", (3,))
    nibabel.save(image, tmp_path / "tensors.nii.gz")
    back = nibabel.load(tmp_path / "tensors.nii.gz")
    assert back.header.get_intent()[:2] == ("symmetric matrix", (3.0,))
    numbers = np.asarray(back.dataobj)[:, :, :, 0, :]
    np.testing.assert_array_equal(
        vech.expand(numbers, "nifti-symmatrix"), vech.expand(six, "nifti-symmatrix")
    )
    np.testing.assert_allclose(vech.expand(numbers, "nifti-symmatrix"), TENSORS, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "theirs, ours", [("fsl", "fsl-dtifit"), ("mrtrix", "mrtrix-dwi2tensor"), ("ants", "nifti-symmatrix")]
)
def test_dipy_converts_between_the_programs_as_the_dialects_do(theirs, ours):
    utils = pytest.importorskip("dipy.reconst.utils", reason="it converts")
    six = vech.pack(TENSORS, "dipy-lower", use="lower")
    converted = utils.convert_tensors(six, "dipy", theirs)
    np.testing.assert_allclose(
        converted.reshape(six.shape), vech.convert(six, "dipy-lower", ours), rtol=1e-15
    )
