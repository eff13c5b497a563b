"""Arrays, statistics, machine learning."""

import numpy as np

from evidence import Evidence, asks, labelled, length, numbered

INTEGERS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
FLOATS = ("f4", "f8")
COMPLEX = ("c8", "c16")
SIDES = (4, 5)


@asks("numpy")
def numpy():
    for n in SIDES:
        for name, indices in (("numpy-tril", np.tril_indices(n)), ("numpy-triu", np.triu_indices(n))):
            for dtype in (*INTEGERS, "f2", *FLOATS, *COMPLEX):
                matrix = labelled(n, dtype)
                yield Evidence(name, "packs", "symmetric", matrix, matrix[indices])
                half = numbered(length(n), dtype)
                triangle = np.zeros((n, n), dtype)
                triangle[indices] = half
                yield Evidence(name, "expands", "triangular", half, triangle)


@asks("scipy")
def scipy_condensed():
    from scipy.spatial.distance import squareform

    for n in SIDES:
        for dtype in (*INTEGERS, "f2", *FLOATS, *COMPLEX):
            symmetric = labelled(n, dtype, "symmetric", diagonal=0)
            yield Evidence("scipy-condensed", "packs", "symmetric", symmetric, squareform(symmetric))
            general = labelled(n, dtype, diagonal=0)
            yield Evidence(
                "scipy-condensed", "packs", "symmetric", general, squareform(general, checks=False)
            )
            half = numbered(length(n - 1), dtype)
            yield Evidence("scipy-condensed", "expands", "symmetric", half, squareform(half))


@asks("statsmodels")
def statsmodels():
    from statsmodels.tsa.tsatools import duplication_matrix, elimination_matrix, unvech, vech

    for n in SIDES:
        for dtype in (*INTEGERS, *FLOATS, *COMPLEX):
            matrix = labelled(n, dtype)
            yield Evidence("statsmodels-vech", "packs", "symmetric", matrix, vech(matrix))
        half = elimination_matrix(n) @ labelled(n).reshape(-1, order="F")
        yield Evidence("statsmodels-vech", "packs", "symmetric", labelled(n), half)
        full = (duplication_matrix(n) @ half).reshape(n, n, order="F")
        yield Evidence("statsmodels-vech", "expands", "symmetric", half, full)
        for dtype in (*INTEGERS, *FLOATS):  # it drops imaginary parts
            half = numbered(length(n), dtype)
            yield Evidence("statsmodels-vech", "expands", "symmetric", half, unvech(half))


@asks("torch")
def torch():
    import torch
    from torch.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix

    for n in SIDES:
        for dtype in ("i1", "u1", "i2", "i4", "i8", "f2", *FLOATS, *COMPLEX):
            matrix = labelled(n, dtype)
            tensor = torch.from_numpy(matrix)
            for name, indices in (
                ("torch-tril", torch.tril_indices(n, n)),
                ("torch-triu", torch.triu_indices(n, n)),
            ):
                yield Evidence(name, "packs", "symmetric", matrix, tensor[*indices].numpy())
            yield Evidence("torch-tril", "packs", "symmetric", matrix, tril_matrix_to_vec(tensor).numpy())
        for dtype in ("f2", *FLOATS):
            half = numbered(length(n), dtype)
            triangle = vec_to_tril_matrix(torch.from_numpy(half)).numpy()
            yield Evidence("torch-tril", "expands", "triangular", half, triangle)


@asks("tensorflow-probability")
def tensorflow_probability():
    from tensorflow_probability.substrates.numpy.math import fill_triangular, fill_triangular_inverse

    for n in SIDES:
        for dtype in (*INTEGERS, "f2", *FLOATS, *COMPLEX):
            half = numbered(length(n), dtype)
            for upper in (False, True):
                name = f"tfp-fill-triangular-{'upper' if upper else 'lower'}"
                triangle = np.asarray(fill_triangular(half, upper=upper))
                yield Evidence(name, "expands", "triangular", half, triangle)
                # the inverse adds both triangles: one of them must be zero
                matrix = (np.triu if upper else np.tril)(labelled(n, dtype))
                back = np.asarray(fill_triangular_inverse(matrix, upper=upper))
                yield Evidence(name, "packs", "triangular", matrix, back)


@asks("numpyro")
def numpyro():
    from numpyro.distributions.util import vec_to_tril_matrix

    for n in SIDES:
        half = numbered(length(n), "f4")
        triangle = np.asarray(vec_to_tril_matrix(half))
        yield Evidence("pyro-numpyro-tril", "expands", "triangular", half, triangle)


@asks("pymc")
def pymc():
    from pymc.math import expand_packed_triangular
    from pytensor.tensor import as_tensor

    for n in SIDES:
        for dtype in ("i4", "f4", "f8"):
            half = numbered(length(n), dtype)
            for lower in (True, False):
                name = f"pymc-packed-{'lower' if lower else 'upper'}"
                triangle = expand_packed_triangular(n, as_tensor(half), lower=lower).eval()
                yield Evidence(name, "expands", "triangular", half, triangle)


@asks("geomstats")
def geomstats():
    from geomstats.geometry.skew_symmetric_matrices import SkewSymmetricMatrices
    from geomstats.geometry.symmetric_matrices import SymmetricMatrices

    for n in SIDES:  # the skew matrices of side 3 have an order and signs of their own
        symmetric, skew = SymmetricMatrices(n), SkewSymmetricMatrices(n)
        for dtype in ("i4", "i8", *FLOATS, *COMPLEX):
            matrix = labelled(n, dtype)
            half = symmetric.basis_representation(matrix)
            yield Evidence("geomstats-symmetric", "packs", "symmetric", matrix, half)
            yield Evidence(
                "geomstats-symmetric", "expands", "symmetric", half, symmetric.matrix_representation(half)
            )
            matrix = labelled(n, dtype, "skew")
            half = skew.basis_representation(matrix)
            yield Evidence("geomstats-skew", "packs", "skew", matrix, half)
            yield Evidence("geomstats-skew", "expands", "skew", half, skew.matrix_representation(half))
