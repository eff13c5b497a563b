"""Gradients in either metric."""

import numpy as np
import pytest

import cases
import vech
from vech.linalg import to_metric


@cases.each("layout", cases.LAYOUTS.values(), ids=cases.LAYOUTS)
def test_full_is_the_half_of_the_gradient_of_the_matrix(layout):
    n = 3 if isinstance(layout, vech.TensorOrder) else 5
    G = np.random.default_rng(0).normal(size=(n, n))
    packed, full = np.empty((2, layout.length(n)))
    for k in range(layout.length(n)):
        i, j = (int(x) for x in layout.pair(k, n))
        scale = layout.diagonal_scale if i == j else layout.offdiagonal_scale
        packed[k] = G[i, i] / scale if i == j else (G[i, j] + G[j, i]) / scale
        full[k] = (G[i, j] + G[j, i]) / 2 * scale
    np.testing.assert_allclose(to_metric(packed, layout), full, rtol=1e-14)
    np.testing.assert_allclose(
        to_metric(np.stack((full, full)), layout, "packed"), [packed, packed], rtol=1e-14
    )


def test_svec_makes_no_difference_in_any_bit():
    gradient = np.random.default_rng(0).normal(size=(4, 15)).astype(np.float32)
    assert np.array_equal(to_metric(gradient, "svec-lower"), gradient)
    assert to_metric(gradient).dtype == np.float32 and to_metric(gradient[:0]).shape == (0, 15)


@cases.each(
    ("call", "error", "message"),
    [
        (
            lambda: to_metric(np.arange(3)),
            TypeError,
            "gradient is int64, and gradients are floating or complex",
        ),
        (lambda: to_metric(np.ones(4)), ValueError, "a half of length 4 fits no n"),
        (lambda: to_metric(np.ones(3), metric="half"), ValueError, "unknown metric 'half'"),
        (lambda: to_metric(np.array(1.0)), ValueError, "gradient is a single number"),
        (lambda: to_metric(np.full(3, 1e308), metric="packed"), OverflowError, "its metric becomes 'packed'"),
    ],
)
def test_what_is_no_gradient_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
