"""Convolutions and Laplacians as sparse matrices, beside SciPy's and beside loops over pixels."""

import itertools

import numpy as np
import pytest
from scipy import ndimage, signal, sparse

import cases
import vech
from compare import assert_canonical
from vech.images import convolution, convolution_normal, convolved_shape, laplacian, poisson

CASES = [
    ((3,), (7,)),
    ((4,), (7,)),
    ((1,), (5,)),
    ((3, 3), (6, 5)),
    ((2, 3), (5, 6)),
    ((4, 1), (5, 4)),
    ((2, 3, 2), (4, 3, 5)),
]
STRIDES = {1: (1, 2, 3), 2: (1, 2, (3, 1)), 3: (1, 2, (1, 3, 2))}
PADDINGS = {1: (0, 1, 3), 2: (0, 2, (1, 3)), 3: (0, 1, (2, 0, 1))}


def domain():
    for (kernel, shape), named in itertools.product(CASES, ("valid", "same", "full")):
        for stride in STRIDES[len(shape)]:
            yield kernel, shape, stride, named
    for kernel, shape in CASES:
        for stride, padding in itertools.product(STRIDES[len(shape)], PADDINGS[len(shape)]):
            yield kernel, shape, stride, padding


def numbers(shape, seed=0, dtype="f8"):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return (rng.integers(-9, 10, shape) if np.dtype(dtype).kind in "iu" else rng.normal(size=shape)).astype(
        dtype
    )


def per_axis(value, axes):
    return (value,) * axes if isinstance(value, int) else value


def spread(results, kernel, shape, stride, padding):
    """Machine learning's transposed convolution: each result adds the kernel to the pixels it came from."""
    image = np.zeros([n + 2 * p for n, p in zip(shape, padding, strict=True)])
    for o in np.ndindex(results.shape):
        for k in np.ndindex(kernel.shape):
            image[tuple(i * s + j for i, s, j in zip(o, stride, k, strict=True))] += results[o] * kernel[k]
    return image[tuple(slice(p, p + n) for n, p in zip(shape, padding, strict=True))]


def by_scipy(image, kernel, stride, padding, function):
    axes = image.ndim
    if isinstance(padding, str):
        found = function(image, kernel, mode=padding, method="direct")
    else:
        found = function(
            np.pad(image, [(p, p) for p in per_axis(padding, axes)]), kernel, "valid", method="direct"
        )
    return found[tuple(slice(None, None, s) for s in per_axis(stride, axes))]


@cases.each(("kernel", "shape", "stride", "padding"), list(domain()))
@cases.each("flip", [True, False])
def test_it_is_the_convolution_of_scipy(kernel, shape, stride, padding, flip):
    if padding in ("valid", 0) and any(k > n for k, n in zip(kernel, shape, strict=True)):
        pytest.skip("no results")
    kernel, image = numbers(kernel), numbers(shape, 1)
    want = by_scipy(image, kernel, stride, padding, signal.convolve if flip else signal.correlate)
    C = convolution(kernel, shape, stride, padding, flip=flip)
    assert C.shape == (want.size, image.size)
    assert convolved_shape(kernel.shape, shape, stride, padding) == want.shape
    np.testing.assert_allclose(C @ image.ravel(), want.ravel(), rtol=1e-13, atol=1e-13)
    assert_canonical(C)
    assert C.indices.dtype == np.int32


@pytest.mark.parametrize(("kernel", "shape"), CASES)
def test_its_transpose_is_the_transposed_convolution(kernel, shape):
    axes = len(shape)
    kernel = numbers(kernel)
    for stride, padding in itertools.product(STRIDES[axes], PADDINGS[axes]):
        C = convolution(kernel, shape, stride, padding, flip=False)
        results = numbers(convolved_shape(kernel.shape, shape, stride, padding), 2)
        want = spread(results, kernel, shape, per_axis(stride, axes), per_axis(padding, axes))
        np.testing.assert_allclose(C.T @ results.ravel(), want.ravel(), rtol=1e-13, atol=1e-13)


def test_the_transpose_of_a_valid_convolution_is_the_full_correlation():
    kernel, results = numbers((3, 4)), numbers((5, 6), 1)
    shape = (7, 9)
    C = convolution(kernel, shape)
    assert np.allclose((C.T @ results.ravel()).reshape(shape), signal.correlate(results, kernel, "full"))


def test_zero_padding_is_that_of_ndimage_too():
    kernel, image = numbers((3, 5)), numbers((8, 9), 1)
    want = ndimage.convolve(image, kernel, mode="constant")
    assert np.allclose(convolution(kernel, (8, 9), padding="same") @ image.ravel(), want.ravel())


@pytest.mark.parametrize("dtype", ["i1", "i8", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(("kernel", "shape"), CASES)
def test_the_normal_matrix_is_that_of_the_matrix(kernel, shape, dtype):
    axes = len(shape)
    kernel = numbers(kernel, 3, dtype)
    for stride, padding, flip in itertools.product(STRIDES[axes], PADDINGS[axes], (True, False)):
        C = convolution(kernel, shape, stride, padding, flip=flip)
        C = C.astype(np.int64) if C.dtype.kind == "i" else C
        want = (C.conj().T @ C).toarray()
        N = convolution_normal(kernel, shape, stride, padding, flip=flip)
        assert isinstance(N, vech.SparseHalf)
        assert N.dtype == want.dtype
        assert N.kind == ("hermitian" if N.dtype.kind == "c" else "symmetric")
        np.testing.assert_allclose(
            N.expand(),
            want,
            rtol=1e-5 if N.dtype.char in "fF" else 1e-13,
            atol=1e-4 if N.dtype.char in "fF" else 1e-12,
        )
        assert N.nnz == sparse.tril(abs(C).T @ abs(C)).nnz  # SciPy drops the sums that are zero


def test_integers_of_the_normal_matrix_do_not_wrap_around():
    assert convolution_normal(np.array([100], np.int8), 3).diagonal().tolist() == [10_000] * 3


def test_zeros_of_the_kernel_are_not_stored():
    stencil = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    C = convolution(stencil, (9, 8), padding="same")
    assert np.array_equal(C.toarray(), poisson((9, 8)).expand())
    assert C.nnz == 2 * poisson((9, 8)).nnz - 72
    assert convolution(np.zeros((2, 2)), (3, 3)).nnz == convolution_normal(np.zeros((2, 2)), (3, 3)).nnz == 0


def test_chunks_make_no_difference(monkeypatch):
    kernel = numbers((3, 2))
    want = convolution(kernel, (30, 20), (2, 1), 1)
    monkeypatch.setattr("vech.images.CHUNK", 50)
    got = convolution(kernel, (30, 20), (2, 1), 1)
    for name in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(got, name), getattr(want, name))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (np.ones((3, 3)), (8,)),
            ValueError,
            r"a kernel of shape \(3, 3\) does not fit an image of shape \(8,\)",
        ),
        (
            (np.ones(3), 2),
            ValueError,
            r"kernel of shape \(3,\) is larger .* \(2,\) with padding 0: padding='full'",
        ),
        ((np.ones(3), 8, 0), ValueError, "stride must be 1 integers from 1 on, not 0"),
        ((np.ones(3), 8, 1.5), TypeError, "stride must be an integer, or one for each axis, not 1.5"),
        ((np.ones(3), 8, 1, -1), ValueError, "padding must be 1 integers from 0 on, not -1"),
        (
            (np.ones((2, 2)), (8, 8), 1, (1, 2, 3)),
            ValueError,
            r"padding must be 2 integers from 0 on, not \(1, 2, 3\)",
        ),
        (
            (np.ones(3), 8, 1, "some"),
            ValueError,
            "unknown padding 'some': choose from valid, same, full, or give",
        ),
        ((np.ones(3), 0), ValueError, "shape must be integers from 1 on, not 0"),
        ((np.ones(3, "f2"), 8), TypeError, r"float16: astype\(np.float32\) first"),
        ((np.array(["a"]), 8), TypeError, "kernel of dtype <U1 holds text"),
    ],
)
@pytest.mark.parametrize("function", [convolution, convolution_normal])
def test_what_does_not_go_together_is_refused(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


def test_too_large_a_matrix_is_known_before_it_is_made():
    for function in (convolution, convolution_normal):
        with pytest.raises(MemoryError, match="take a part of the image"):
            function(np.ones((3, 3)), (10**6, 10**6))


# ---------------------------------------------------------------- Laplacians


def laplacian_by_loops(image, beta):
    """image: (..., channels)."""
    shape = image.shape[:-1]
    flat = np.arange(np.prod(shape)).reshape(shape)
    L = np.zeros((flat.size, flat.size))
    for p in np.ndindex(shape):
        for axis in range(len(shape)):
            q = tuple(c + (k == axis) for k, c in enumerate(p))
            if q[axis] < shape[axis]:
                i, j = flat[p], flat[q]
                w = np.exp(-beta * np.sum((image[p] - image[q]) ** 2))
                L[i, j] -= w
                L[j, i] -= w
                L[i, i] += w
                L[j, j] += w
    return L


@pytest.mark.parametrize("shape", [(1,), (6,), (4, 5), (1, 4), (3, 2, 4)])
@pytest.mark.parametrize("beta", [0, 1.5])
@pytest.mark.parametrize("channels", [0, 3])
def test_the_laplacian_of_an_image_is_its_definition(shape, beta, channels):
    image = numbers((*shape, channels) if channels else shape)
    L = laplacian(image, beta, channels=bool(channels))
    assert L.triangle == "lower" and L.kind == "symmetric" and L.dtype == np.float64
    np.testing.assert_allclose(
        L.expand(), laplacian_by_loops(image if channels else image[..., None], beta), atol=1e-14
    )
    assert L.nnz == np.prod(shape) + sum(np.prod(shape) // m * (m - 1) for m in shape)


def test_the_laplacian_of_a_shape_is_that_of_an_even_image():
    for shape in ((5,), (3, 4), (2, 3, 4)):
        assert np.array_equal(laplacian(shape).expand(), laplacian(np.full(shape, 7), 3.0).expand())


def test_differences_of_unsigned_integers_do_not_wrap_around():
    image = np.array([[0, 255], [1, 0]], np.uint8)
    assert np.array_equal(laplacian(image, 0.1).expand(), laplacian(image.astype(float), 0.1).expand())


def test_unalike_neighbours_are_stored_though_their_weight_is_zero():
    L = laplacian(np.array([0.0, 1e9]))
    assert L.nnz == 3 and not L.expand().any()


@pytest.mark.parametrize("image", [np.arange(12), np.arange(24.0).reshape(4, 6), np.ones((2, 3, 4))])
def test_it_is_that_of_scikit_learn_where_differences_are_weights(image):
    """img_to_graph has the differences themselves; the pattern is the same."""
    graph = pytest.importorskip("sklearn.feature_extraction.image")
    if image.ndim == 1:
        image = image[None]
    theirs = graph.grid_to_graph(*image.shape, return_as=np.ndarray) > 0
    assert np.array_equal(laplacian(image, 0).expand() != 0, theirs)


def test_wrong_images_are_refused():
    with pytest.raises(TypeError, match=r"an image has real numbers, not complex128"):
        laplacian(np.ones(3) * 1j)
    with pytest.raises(ValueError, match=r"an image of shape \(0, 3\) has no pixels"):
        laplacian(np.ones((0, 3)))
    with pytest.raises(ValueError, match="beta must be 0 or more, not -1"):
        laplacian((2, 2), -1)
    with pytest.raises(ValueError, match="the image has NaN, which is like nothing"):
        laplacian(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"image must be integers from 1 on, not \(0, 3\)"):
        laplacian((0, 3))


@pytest.mark.parametrize("shape", [1, 5, (4, 3), (3, 2, 4)])
def test_the_poisson_matrix_has_its_eigenvalues(shape):
    S = poisson(shape)
    sizes = (shape,) if isinstance(shape, int) else shape
    lines = [2 - 2 * np.cos(np.pi * np.arange(1, m + 1) / (m + 1)) for m in sizes]
    want = np.sort(sum(np.meshgrid(*lines, indexing="ij")), axis=None)
    np.testing.assert_allclose(np.linalg.eigvalsh(S.expand()), want, atol=1e-13)
    stencil = -ndimage.generate_binary_structure(len(sizes), 1).astype(float)
    stencil[(1,) * len(sizes)] = 2 * len(sizes)
    image = numbers(sizes)
    np.testing.assert_allclose(
        S @ image.ravel(), ndimage.convolve(image, stencil, mode="constant").ravel(), atol=1e-13
    )


@pytest.mark.parametrize("kernel", [np.array([2**40, 2**40]), np.array([2**63 + 5], np.uint64)])
def test_a_kernel_whose_products_exceed_64_bits_is_refused(kernel):
    with pytest.raises(
        OverflowError, match=r"sums of products of the kernel may reach .*, beyond int64: astype"
    ):
        vech.images.convolution_normal(kernel, 4)


@pytest.mark.parametrize(
    "name", ["convolution", "convolution_normal", "convolved_shape", "laplacian", "poisson"]
)
def test_images_are_still_found_where_they_were(name):
    assert getattr(vech.sparse, name) is getattr(vech.images, name)
    assert name not in dir(vech.sparse)


def test_what_neither_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'vech\.sparse' has no attribute 'gradient'"):
        vech.sparse.gradient  # noqa: B018
