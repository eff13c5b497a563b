"""Images as sparse matrices: convolutions, their normal matrices, Laplacians of the grid of pixels.

A pixel is a row and a column of these matrices by its place in ``image.ravel()``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import INT32_MAX, Array, Dtype, as_array, check_memory, family
from vech.maps import check_mapped
from vech.moves.nonzeros import sparse_dtype
from vech.sparse import SparseHalf

__all__ = ["convolution", "convolution_normal", "convolved_shape", "laplacian", "poisson"]

CHUNK = 2**20  # numbers of a convolution made together
PADDINGS = ("valid", "same", "full")
Stride = int | Sequence[int]
Padding = int | str | Sequence[int]


def convolution(
    kernel: ArrayLike,
    shape: int | Sequence[int],
    stride: Stride = 1,
    padding: Padding = 0,
    *,
    flip: bool = True,
) -> Any:
    """The matrix of a convolution, ``C @ image.ravel()``; its transpose is the transposed convolution.

    Parameters
    ----------
    kernel : array of as many axes as the image
        Numbers that are zero are left out of the matrix.
    shape : int or sequence of ints
        Of the image: 1-D, 2-D, 3-D, ...
    stride : int or one for each axis
        Of so many results one is kept.
    padding : int, one for each axis, or {"valid", "same", "full"}
        Zeros around the image, at both ends of an axis; none, those of
        ``scipy.signal.convolve(mode="same")``, or one less than the kernel has.
    flip : bool
        True: convolution as mathematics and ``scipy.signal.convolve`` have it, with the kernel reversed.
        False: cross-correlation, which machine learning calls convolution (``torch.nn.functional.conv2d``).

    Returns
    -------
    scipy.sparse.csr_array, shape (results, pixels)
        Canonical, in the dtype of the kernel. `convolved_shape` gives the shape of the results.

    Raises
    ------
    ValueError
        If kernel, shape, stride and padding do not go together.
    TypeError
        For dtypes that SciPy's sparse arrays do not compute with.
    MemoryError
        If the matrix is larger than memory and swap together.

    Notes
    -----
    With s the stride, p the padding and k the reversed kernel (or, with ``flip=False``, the kernel itself)

        C[o, i] = k[i - s o + p],

    so ``C.T @ results.ravel()`` spreads each result over the pixels that made it: V. Dumoulin and F. Visin,
    "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, 2016. Time and memory go with the
    numbers of C, at most one for each result and number of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> C = convolution(np.array([1, 2, 3]), 4, padding="same")
    >>> C.toarray()
    array([[2, 1, 0, 0],
           [3, 2, 1, 0],
           [0, 3, 2, 1],
           [0, 0, 3, 2]])
    >>> C @ np.array([1, 0, 0, 1]), np.convolve([1, 0, 0, 1], [1, 2, 3], "same")
    (array([2, 3, 1, 2]), array([2, 3, 1, 2]))
    >>> convolution(np.array([1, 2, 3]), 4, stride=2, padding=1, flip=False).toarray()
    array([[2, 3, 0, 0],
           [0, 1, 2, 3]])
    """
    from scipy import sparse

    taps, form = _taps(kernel, flip), _form(np.shape(kernel), shape, stride, padding)
    tables = []
    for axis, step in enumerate(_steps(form.shape)):
        first = np.arange(form.results[axis]) * form.stride[axis] - form.before[axis]
        places = first[:, None] + taps.places[:, axis]
        tables.append((places * step, (places >= 0) & (places < form.shape[axis])))
    counts = [inside.sum(axis=0, dtype=np.int64) for _, inside in tables]
    total = int(np.prod(counts, axis=0).sum())
    rows, pixels = math.prod(form.results), math.prod(form.shape)
    index = _index(max(rows, pixels, total))
    check_memory(
        total * (taps.values.itemsize + index.itemsize), "take a part of the image, or a larger stride"
    )
    data, indices = np.empty(total, taps.values.dtype), np.empty(total, index)
    indptr = np.zeros(rows + 1, index)
    height = max(1, CHUNK // max(1, taps.values.size))
    filled = 0
    for start in range(0, rows, height):
        stop = min(start + height, rows)
        at = np.unravel_index(np.arange(start, stop), form.results)
        inside = np.logical_and.reduce([table[o] for (_, table), o in zip(tables, at, strict=True)])
        place = np.add.reduce([table[o] for (table, _), o in zip(tables, at, strict=True)])
        end = filled + int(inside.sum())
        indices[filled:end] = place[inside]
        data[filled:end] = np.broadcast_to(taps.values, inside.shape)[inside]
        indptr[start + 1 : stop + 1] = filled + np.cumsum(inside.sum(axis=1))
        filled = end
    matrix = sparse.csr_array((data, indices, indptr), shape=(rows, pixels))
    matrix.has_canonical_format = True
    return matrix


def convolved_shape(
    kernel_shape: int | Sequence[int], shape: int | Sequence[int], stride: Stride = 1, padding: Padding = 0
) -> tuple[int, ...]:
    """The shape of the results of a `convolution`: ``(C @ image.ravel()).reshape(convolved_shape(...))``.

    Parameters
    ----------
    kernel_shape : int or sequence of ints
        Of the kernel: one number for each axis.
    shape, stride, padding
        As `convolution` has them.

    Returns
    -------
    tuple of ints
        One for each axis.

    Raises
    ------
    ValueError, TypeError
        As `convolution`, for numbers that are no shape, or do not fit each other.

    Examples
    --------
    >>> convolved_shape((3, 3), (8, 7), stride=2, padding=1)
    (4, 4)
    """
    return _form(_numbers(kernel_shape, "kernel_shape", 1), shape, stride, padding).results


def convolution_normal(
    kernel: ArrayLike,
    shape: int | Sequence[int],
    stride: Stride = 1,
    padding: Padding = 0,
    *,
    flip: bool = True,
) -> SparseHalf:
    """The normal matrix ``C^H C`` of a `convolution`, half of it, made without C.

    Parameters
    ----------
    kernel, shape, stride, padding, flip
        As of `convolution`.

    Returns
    -------
    SparseHalf
        Of side pixels, its lower triangle: symmetric, or Hermitian of a complex kernel; int64 of integers.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `convolution`.
    OverflowError
        If the squares of a kernel of integers add up beyond int64.

    Notes
    -----
    Two pixels share results if their distance is that of two numbers of the kernel. For each distance d

        (C^H C)[i, i - d] = sum over t of conj(k[t]) k[t - d]

    over those t whose result there is, which are boxes of pixels: no products are sorted, and their number is
    that of the results times half the kernel's squared. Memory: about twice the result.

    Examples
    --------
    >>> import numpy as np
    >>> N = convolution_normal(np.array([1, -1]), 4)
    >>> N.expand()
    array([[ 1, -1,  0,  0],
           [-1,  2, -1,  0],
           [ 0, -1,  2, -1],
           [ 0,  0, -1,  1]])
    >>> C = convolution(np.array([1, -1]), 4)
    >>> np.array_equal((C.T @ C).toarray(), N.expand())
    True
    """
    taps, form = _taps(kernel, flip), _form(np.shape(kernel), shape, stride, padding)
    dtype = np.dtype(np.int64) if family(taps.values.dtype) in "biu" else taps.values.dtype
    if dtype.kind == "i" and (most := float((taps.values.astype(float) ** 2).sum())) >= 2.0**63:
        raise OverflowError(
            f"sums of products of the kernel may reach {most:.3g}, beyond int64: astype(float) first"
        )
    numbers = {
        tuple(place): value
        for place, value in zip(taps.places.tolist(), taps.values.astype(dtype), strict=True)
    }
    shared: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for t in numbers:
        for other in numbers:
            if (distance := tuple(map(operator.sub, t, other))) >= (0,) * len(t):
                shared.setdefault(distance, []).append(t)
    pixels = math.prod(form.shape)
    check_memory(2 * pixels * len(shared) * dtype.itemsize, "take a part of the image, or a smaller kernel")
    distances = sorted(shared, reverse=True)
    values = np.zeros((*form.shape, len(distances)), dtype)
    stored = np.zeros(values.shape, bool)
    for k, distance in enumerate(distances):
        for t in shared[distance]:
            product = np.conj(numbers[t]) * numbers[tuple(map(operator.sub, t, distance))]
            box = form.made_with(t, distance)
            values[..., k][box] += product
            stored[..., k][box] = True
    return _stencil(form.shape, distances, values, stored, "hermitian" if dtype.kind == "c" else "symmetric")


def laplacian(image: ArrayLike | tuple[int, ...], beta: float = 1.0, *, channels: bool = False) -> SparseHalf:
    """The graph Laplacian of the grid of pixels of an image, neighbours being alike where pixels are.

    Parameters
    ----------
    image : array of one axis or more, or a tuple of ints
        An image, or the shape of one in which all pixels are equal.
    beta : float
        How fast alikeness falls with the difference of two pixels; 0 makes all neighbours alike. 1 is for
        numbers of size one: of 8-bit images all weights would vanish, so divide these by 255.
    channels : bool
        Whether the last axis holds the channels of a pixel, such as colours.

    Returns
    -------
    SparseHalf
        Its lower triangle, float64 of side pixels: positive semidefinite, its rows add up to zero.

    Raises
    ------
    ValueError
        For an image without pixels or with NaN, and a beta below zero.
    TypeError
        For complex images.

    Notes
    -----
    ``L = D - W`` with ``w_ij = exp(-beta |g_i - g_j|^2)`` of pixels that differ by one along one axis, and D
    the sums of the rows of W, so constants are its kernel (`vech.linalg.eigsh` takes a sigma below 0, say
    -1e-6): L. Grady, "Random walks for image segmentation", IEEE TPAMI 28(11), 2006. Neighbours so different
    that the weight is zero in float64 are stored as such. Time and memory: some numbers for each pixel and
    axis.

    Examples
    --------
    >>> import numpy as np
    >>> laplacian(np.array([0.0, 0.0, 1.0]), beta=2.0).expand().round(2)
    array([[ 1.  , -1.  ,  0.  ],
           [-1.  ,  1.14, -0.14],
           [ 0.  , -0.14,  0.14]])
    >>> laplacian((2, 2)).expand()
    array([[ 2., -1., -1.,  0.],
           [-1.,  2.,  0., -1.],
           [-1.,  0.,  2., -1.],
           [ 0., -1., -1.,  2.]])
    """
    if isinstance(image, tuple):
        grey = np.broadcast_to(0.0, (*_numbers(image, "image", 1), 1))
    else:
        array = as_array(image, "image")
        if family(array.dtype) not in "biuf":
            raise TypeError(f"an image has real numbers, not {array.dtype}: its alikeness is of abs(image)")
        grey = array if channels else array[..., None]
    shape = grey.shape[:-1]
    if not shape or 0 in shape:
        raise ValueError(f"an image of shape {np.shape(image)} has no pixels: (rows, columns), for example")
    if not beta >= 0:
        raise ValueError(f"beta must be 0 or more, not {beta}")
    values = np.zeros((*shape, len(shape) + 1))
    stored = np.ones(values.shape, bool)
    for axis in range(len(shape)):
        here, there = (_along(axis, len(shape), slice(*ends)) for ends in ((1, None), (None, -1)))
        difference = grey[here].astype(np.float64) - grey[there]
        weight = np.exp(-beta * np.einsum("...c,...c->...", difference, difference))
        values[..., axis][here] = -weight
        stored[..., axis][_along(axis, len(shape), slice(0, 1))] = False
        values[..., -1][here] += weight
        values[..., -1][there] += weight
    if np.isnan(values).any():
        raise ValueError("the image has NaN, which is like nothing: fill it, or crop it off")
    return _stencil(shape, _neighbours(len(shape)), values, stored, "symmetric")


def poisson(shape: int | Sequence[int]) -> SparseHalf:
    """The matrix of Poisson's equation on a grid that is zero around: 2 for each axis, -1 for each neighbour.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the grid: 1-D, 2-D, 3-D, ...

    Returns
    -------
    SparseHalf
        Its lower triangle, float64: positive definite.

    Raises
    ------
    ValueError, TypeError
        For a shape that is not of whole numbers of at least 1.
    MemoryError
        If there is no room for the grid.

    Notes
    -----
    Its eigenvalues are the sums over the axes of ``2 - 2 cos(pi k / (m + 1))``, k = 1 ... m.

    Examples
    --------
    >>> poisson(3).expand()
    array([[ 2., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  2.]])
    >>> poisson((100, 100)).nnz
    29800
    """
    shape = _numbers(shape, "shape", 1)
    values = np.full((*shape, len(shape) + 1), -1.0)
    values[..., -1] = 2 * len(shape)
    stored = np.ones(values.shape, bool)
    for axis in range(len(shape)):
        stored[..., axis][_along(axis, len(shape), slice(0, 1))] = False
    return _stencil(shape, _neighbours(len(shape)), values, stored, "symmetric")


class Taps(NamedTuple):
    """The numbers of a kernel that are not zero, in C order, and their places."""

    places: Array
    values: Array


class Form(NamedTuple):
    """The shapes of a convolution: of image, results, strides, and zeros before the first pixel."""

    shape: tuple[int, ...]
    results: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]

    def made_with(self, t: tuple[int, ...], distance: tuple[int, ...]) -> tuple[slice, ...]:
        """The pixels i of which a result takes t of the kernel, and takes t - distance of a pixel too."""
        box = []
        for n, m, s, p, tap, d in zip(*self, t, distance, strict=True):
            low, high = max(0, d), min(n, n + d)  # i and i - d are pixels
            # results o, where i = s o - p + t
            first, last = -(-(low - tap + p) // s), (high - 1 - tap + p) // s
            first, last = max(first, 0), min(last, m - 1)
            box.append(
                slice(s * first - p + tap, s * last - p + tap + 1, s) if first <= last else slice(0, 0)
            )
        return tuple(box)


def _taps(kernel: ArrayLike, flip: bool) -> Taps:
    kernel = as_array(kernel, "kernel")
    kernel = np.flip(kernel.astype(sparse_dtype(kernel.dtype), copy=False)) if flip else kernel
    kernel = kernel.astype(sparse_dtype(kernel.dtype), copy=False)
    places = np.argwhere(kernel != 0)
    return Taps(places, kernel[tuple(places.T)])


def _form(kernel: tuple[int, ...], shape: int | Sequence[int], stride: Stride, padding: Padding) -> Form:
    shape = _numbers(shape, "shape", 1)
    axes = len(shape)
    if len(kernel) != axes or 0 in kernel:
        raise ValueError(
            f"a kernel of shape {kernel} does not fit an image of shape {shape}: one axis for each"
        )
    strides = _numbers(stride, "stride", 1, axes)
    if isinstance(padding, str):
        if padding not in PADDINGS:
            raise ValueError(
                f"unknown padding {padding!r}: choose from {', '.join(PADDINGS)}, or give numbers"
            )
        before = tuple({"valid": 0, "same": k // 2, "full": k - 1}[padding] for k in kernel)
        after = tuple(k - 1 - p if padding == "same" else p for k, p in zip(kernel, before, strict=True))
    else:
        before = after = _numbers(padding, "padding", 0, axes)
    room = [n + p + q - k for n, p, q, k in zip(shape, before, after, kernel, strict=True)]
    if min(room) < 0:
        raise ValueError(
            f"a kernel of shape {kernel} is larger than an image of shape {shape} with padding {padding!r}: "
            f"padding='full' always has results"
        )
    return Form(shape, tuple(r // s + 1 for r, s in zip(room, strides, strict=True)), strides, before)


def _numbers(given: Any, what: str, least: int, axes: int | None = None) -> tuple[int, ...]:
    """Integers, one for each axis."""
    check_mapped(given)
    try:
        found = tuple(map(operator.index, given if np.ndim(given) else (given,) * (axes or 1)))
    except TypeError:
        raise TypeError(f"{what} must be an integer, or one for each axis, not {given!r}") from None
    if not found or min(found) < least or (axes is not None and len(found) != axes):
        raise ValueError(
            f"{what} must be {'' if axes is None else f'{axes} '}integers from {least} on, not {given!r}"
        )
    return found


def _steps(shape: tuple[int, ...]) -> list[int]:
    """How far the next pixel along each axis is in ``image.ravel()``."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _index(largest: int) -> Dtype:
    return np.dtype(np.int32 if largest <= INT32_MAX else np.int64)


def _along(axis: int, axes: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if k == axis else slice(None) for k in range(axes))


def _neighbours(axes: int) -> list[tuple[int, ...]]:
    """The distances to the pixels before, first the farthest, and to itself."""
    return [*(tuple(int(k == axis) for k in range(axes)) for axis in range(axes)), (0,) * axes]


def _stencil(
    shape: tuple[int, ...], distances: list[tuple[int, ...]], values: Array, stored: Array, kind: str
) -> SparseHalf:
    """The half of which pixel i holds ``values[i, k]`` at i - distances[k], where stored; those descend."""
    pixels, steps = math.prod(shape), _steps(shape)
    assert all(a > b for a, b in pairwise(distances))
    stored = stored.reshape(pixels, len(distances))
    indptr = np.concatenate(([0], np.cumsum(stored.sum(axis=1))))
    index = _index(max(pixels, int(indptr[-1])))
    flat = np.array([sum(map(operator.mul, distance, steps)) for distance in distances], index)
    indices = (np.arange(pixels, dtype=index)[:, None] - flat)[stored]
    data = values.reshape(stored.shape)[stored]
    return SparseHalf(indptr.astype(index), indices, data, pixels, triangle="lower", kind=kind)


def __dir__() -> list[str]:
    return __all__
