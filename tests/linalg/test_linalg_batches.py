"""Many halves at once: kernels of small matrices, and LAPACK of others, against NumPy matrix by matrix."""

import math
from functools import cache, partial

import numpy as np
import pytest

import cases
import vech
from vech import _core, linalg

RNG = np.random.default_rng(5)
SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 11, 15, 16, 17)
COUNTS = (0, 1, 7, 8, 9, 16, 17, 33, 1000)
LAYOUTS = (
    "vech", "lapack-upper", "numpy-tril", "numpy-triu", "svec-lower", "svec-upper", "nilearn-sym-vec",
    vech.Layout("upper", "rows", diagonal_scale=3.0, offdiagonal_scale=0.1),
    "lapack-rfp-nl", "tfp-fill-triangular-lower",
)  # fmt: skip
TENSORS = ("voigt-stress", "voigt-strain", "mandel", "vtk-symmetric-tensor", "abaqus-voigt-stress")
EPS = np.finfo(float).eps

every_target = pytest.mark.every_target


def definite(count, n, *, least=0.1):
    """Full matrices whose eigenvalues are at least so large."""
    X = RNG.standard_normal((count, n, n + 2))
    return X @ X.mT / n + least * np.eye(n)


def symmetric(count, n):
    X = RNG.standard_normal((count, n, n))
    return X + X.mT


def halves_of(full, layout="vech", kind=None):
    return vech.pack(full, layout, kind=kind, use="lower")


def spans(full):
    """The largest modulus of an eigenvalue of each matrix, of shape (count, 1, 1)."""
    return np.abs(np.linalg.eigvalsh(full)).max(-1, initial=0)[..., None, None]


def close(found, expected, full, times):
    """Within so many eps of the largest eigenvalue of each matrix."""
    size = np.maximum(spans(full), np.finfo(float).tiny)
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= times * EPS * size).all()


# ---- eigenvalues -------------------------------------------------------------------------------------------


def exact_values(matrix):
    """Eigenvalues in 40 digits."""
    mpmath = pytest.importorskip("mpmath", reason="mpmath is the oracle of digits")
    with mpmath.workdps(40):
        return sorted(mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True))


def good_eigenpairs(full, values, vectors, eps=EPS, least=0.0):
    """Ascending, orthogonal to some eps, and what was decomposed, in long double, but for n times `least`."""
    n = full.shape[-1]
    assert values.shape == full.shape[:-1] and vectors.shape == full.shape
    assert (np.diff(values, axis=-1) >= 0).all()
    w, V = values.astype(np.longdouble), vectors.astype(np.longdouble)
    size = np.abs(w).max(-1, initial=0)[..., None, None]
    product = (V * w[..., None, :]) @ V.mT
    assert (np.abs(product - full) <= 4 * math.sqrt(n) * eps * size + n * least).all()
    assert (np.abs(V.mT @ V - np.eye(n)) <= 4 * math.sqrt(n) * eps).all()


@every_target
@cases.each("n", SIDES)
def test_eigenpairs_are_those_of_the_matrix(n):
    full = symmetric(60, n)
    values, vectors = linalg.eigh(halves_of(full), batch="vech")
    good_eigenpairs(full, values, vectors)
    close(values[..., None], np.linalg.eigvalsh(full)[..., None], full, 4 + n)
    only = linalg.eigh(halves_of(full), batch="vech", eigvals_only=True)
    close(only[..., None], values[..., None], full, 4 + n)


@every_target
@pytest.mark.parametrize("n", [2, 3, 6])
def test_eigenvalues_are_within_4_eps_of_the_largest(n):
    full = np.concatenate([symmetric(12, n), definite(12, n)])
    values = linalg.eigh(halves_of(full), batch=True)[0]
    for k, matrix in enumerate(full):
        exact = exact_values(matrix)
        worst = max(abs(float(value) - true) for value, true in zip(values[k], exact, strict=True))
        assert worst <= 4 * EPS * max(abs(true) for true in exact)


def special(n):
    """Matrices with equal eigenvalues, of low rank, and nearly so; each symmetric to the bit."""
    Q = np.linalg.qr(RNG.standard_normal((n, n)))[0]
    x = RNG.standard_normal(n)
    yield np.zeros((n, n))
    yield np.eye(n) * 3
    yield -np.eye(n)
    yield np.diag(np.arange(n, 0, -1.0))
    yield np.ones((n, n))
    yield np.outer(x, x)
    yield np.eye(n) + np.outer(x, x)
    yield np.eye(n) + 1e-15 * np.outer(x, x)
    yield np.eye(n) + 1e-8 * np.outer(x, x)
    yield (Q * np.where(np.arange(n) < n // 2, 1.0, 2.0)) @ Q.T
    yield (Q * 10.0 ** -np.arange(0, 3 * n, 3)) @ Q.T
    yield np.fliplr(np.eye(n))
    yield np.diag(np.full(n - 1, 1e-200), -1) + np.diag(np.full(n - 1, 1e-200), 1) + np.eye(n)
    yield np.diag(np.where(np.arange(n) % 2, 1e-300, 1.0))


@every_target
@cases.each("exponent", [0, 1019, -900, -1000, -1040])
@cases.each("n", [2, 3, 4, 6, 13])
def test_equal_eigenvalues_low_ranks_and_far_scales_lose_no_digit(n, exponent):
    full = np.ldexp(np.array([np.tril(matrix) + np.tril(matrix, -1).T for matrix in special(n)]), exponent)
    values, vectors = linalg.eigh(halves_of(full), batch="vech")
    good_eigenpairs(np.ldexp(full.astype(np.longdouble), -exponent),
                    np.ldexp(values.astype(np.longdouble), -exponent), vectors,
                    least=2.0 ** (-1074 - exponent) if exponent < -900 else 0.0)  # fmt: skip


@every_target
@pytest.mark.parametrize("n", [2, 3, 6])
def test_equal_eigenvalues_are_within_4_eps_of_the_largest(n):
    full = np.array([np.tril(matrix) + np.tril(matrix, -1).T for matrix in special(n)])
    exact = [exact_values(matrix) for matrix in full]
    for exponent in (0, 1019, -900):
        values = linalg.eigh(halves_of(np.ldexp(full, exponent)), batch="vech")[0]
        for found, true in zip(np.ldexp(values, -exponent), exact, strict=True):
            worst = max(abs(float(value) - x) for value, x in zip(found, true, strict=True))
            assert worst <= 4 * EPS * max(abs(x) for x in true)


@every_target
def test_a_power_of_two_changes_the_exponent_alone():
    half = halves_of(symmetric(50, 5))
    values, vectors = linalg.eigh(half, batch="vech")
    for power in (2.0**-900, 2.0**-300, 2.0**900):
        scaled, same = linalg.eigh(half * power, batch="vech")
        np.testing.assert_array_equal(scaled, values * power)
        np.testing.assert_array_equal(same, vectors)


# ---- halves ------------------------------------------------------------------------------------------------

TASKS = {
    "cholesky": (linalg.cholesky, np.linalg.cholesky),
    "inverse": (linalg.inverse, np.linalg.inv),
    "log": (linalg.log, lambda full: of_values(full, np.log)),
    "exp": (linalg.exp, lambda full: of_values(full, np.exp)),
    "square root": (partial(linalg.power, p=0.5), lambda full: of_values(full, np.sqrt)),
    "inverse square root": (partial(linalg.power, p=-0.5), lambda full: of_values(full, lambda w: w**-0.5)),
    "square": (partial(linalg.power, p=2), lambda full: full @ full),
    "cube root": (partial(linalg.power, p=1 / 3), lambda full: of_values(full, np.cbrt)),
}


def of_values(full, function):
    values, vectors = np.linalg.eigh(full)
    return (vectors * function(values)[..., None, :]) @ np.conj(vectors.mT)


def expanded(found, layout, task, kind=None):
    """Answers as full matrices; of factors, L."""
    layout = vech.as_layout(layout)
    layout = layout if layout.implied is None else layout.plain
    full = vech.expand(found, layout, kind="triangular" if task == "cholesky" else kind)
    return np.conj(full.mT) if task == "cholesky" and layout.triangle == "upper" else full


def agrees(task, found, full, layout="vech", eps=EPS):
    expected = TASKS[task][1](full)
    size = np.abs(expected).max((-1, -2), initial=1e-300, keepdims=True)
    values = np.abs(np.linalg.eigvalsh(full))
    bad = (values.max(-1) / values.min(-1))[..., None, None] if task not in ("exp", "square") else 1
    grown = np.abs(values).max(-1)[..., None, None] if task == "exp" else 1
    assert (np.abs(found - expected) <= (8 + full.shape[-1]) * eps * size * (bad + grown + 4)).all()


@every_target
@cases.each("task", list(TASKS))
@cases.each("n", SIDES)
def test_answers_are_those_of_numpy(task, n):
    full = definite(20, n)
    found = TASKS[task][0](halves_of(full), batch="vech")
    assert found.dtype == np.float64
    agrees(task, expanded(found, "vech", task), full)


@every_target
@cases.each("count", COUNTS)
@cases.each("task", ["cholesky", "inverse", "log"])
def test_every_matrix_of_a_batch_has_its_answer(task, count):
    full = definite(count, 3)
    found = TASKS[task][0](halves_of(full), batch="vech")
    assert found.shape == (count, 6)
    one_by_one = [TASKS[task][0](halves_of(matrix), batch="vech") for matrix in full]
    np.testing.assert_array_equal(found, np.array(one_by_one).reshape(count, 6))


@every_target
@cases.each("task", ["cholesky", "inverse", "exp"])
@cases.each("layout", LAYOUTS, ids=str)
@cases.each("n", [1, 2, 3, 5, 6, 18])
def test_every_layout_has_its_own_halves(task, layout, n):
    full = definite(9, n)
    found = TASKS[task][0](halves_of(full, layout), batch=layout)
    agrees(task, expanded(found, layout, task), full)


@every_target
@cases.each("task", ["cholesky", "inverse", "log", "inverse square root"])
@cases.each("layout", TENSORS)
def test_orders_of_tensors_keep_their_halves(task, layout):
    full = definite(30, 3)
    found = TASKS[task][0](halves_of(full, layout), batch=layout)
    agrees(task, expanded(found, layout, task), full)
    values, vectors = linalg.eigh(halves_of(full, layout), batch=layout)
    good_eigenpairs(full, values, vectors) if not vech.as_layout(layout).scaled else None
    close(values[..., None], np.linalg.eigvalsh(full)[..., None], full, 12)


@every_target
@cases.each("n", [1, 2, 3, 6, 17])
@cases.each("order", [("lower", "columns"), ("upper", "columns")])
@cases.each("scale", [1.0, 2.0])
def test_a_diagonal_of_ones_that_is_not_stored_is_stored_in_answers(order, scale, n):
    """And nothing of them is scaled."""
    layout = vech.Layout(*order, diagonal="one", offdiagonal_scale=scale)
    full = np.eye(n) + np.where(np.eye(n) > 0, 0, symmetric(9, n) / (8 * n))
    half = halves_of(full, layout)
    for task in ("cholesky", "inverse", "exp"):
        found = TASKS[task][0](half, batch=layout)
        assert found.shape == (9, n * (n + 1) // 2)
        agrees(task, expanded(found, layout, task), full)


@every_target
def test_a_diagonal_of_zeros_that_is_not_stored_is_zero():
    full = symmetric(9, 4) * (1 - np.eye(4))
    half = halves_of(full, "condensed")
    agrees("exp", vech.expand(linalg.exp(half, batch="condensed")), full)
    close(linalg.eigh(half, batch="condensed")[0][..., None], np.linalg.eigvalsh(full)[..., None], full, 8)
    with pytest.raises(np.linalg.LinAlgError, match=r"^matrix 0 of the batch is not positive definite"):
        linalg.cholesky(half, batch="condensed")


@every_target
@pytest.mark.parametrize("n", [1, 3, 6, 17])
def test_what_is_not_definite_is_inverted_by_its_eigenvalues(n):
    full = symmetric(40, n)
    full[::3] = definite(14, n)
    half = halves_of(full)
    condition = np.linalg.cond(full)[:, None, None]
    inverse = vech.expand(linalg.inverse(half, batch="vech"))
    size = np.abs(np.linalg.inv(full)).max((-1, -2), keepdims=True)
    assert (np.abs(inverse - np.linalg.inv(full)) <= 30 * n * EPS * condition * size).all()
    signs, logs = linalg.slogdet(half, batch="vech")
    expected = np.linalg.slogdet(full)
    np.testing.assert_array_equal(signs, expected.sign)
    assert (np.abs(logs - expected.logabsdet) <= 30 * n * EPS * condition[:, 0, 0]).all()


@every_target
@cases.each("n", [1, 2, 3, 6, 9, 17])
@cases.each("dtype", ["f4", "f8", "c16"])
def test_solutions_solve(n, dtype):
    full = definite(21, n)
    full[::4] = symmetric(6, n) + 3 * np.diag(np.where(np.arange(n) % 2, 1, -1))
    half = halves_of(full)
    for shape in ((21, n), (21, n, 4), (n,), (1, n, 1), (21, n, 0)):
        b = RNG.standard_normal(shape).astype(dtype)
        if dtype == "c16":
            b = b + 1j * RNG.standard_normal(shape)
        x = linalg.solve(half, b, batch="vech")
        vector = len(shape) < 3
        columns = b[..., None] if vector else b
        expected = np.linalg.solve(full, np.broadcast_to(columns, (21, n, columns.shape[-1])))
        assert x.shape == (21, n) if vector else (21, n, shape[-1])
        assert x.dtype == np.result_type(dtype, "f8")
        found = x[..., None] if vector else x
        bound = 60 * n * EPS * np.linalg.cond(full)[:, None, None]
        assert (np.abs(found - expected) <= bound * np.abs(expected).max(initial=1)).all()


# ---- accuracy of functions ---------------------------------------------------------------------------------

# Largest differences to 40 digits, in eps of the largest eigenvalue of the answer (of factors: of its root);
# of eigenvalues from 0.1 on. Measured under all targets of x86-64, n = 2, 3, 6: cholesky 0.7, 1.1, 1.1;
# log 3.2, 2.3, 4.3; inverse square root 2.4, 2.2, 4.0; exp, whose argument is rounded first, 2.4, 4.8, 8.0.
BOUNDS = {
    "cholesky": {2: 1.3, 3: 2, 6: 2},
    "log": {2: 5, 3: 4, 6: 7},
    "inverse square root": {2: 4, 3: 4, 6: 7},
    "exp": {2: 4.5, 3: 8, 6: 14},
}


@cache
def exact_answers(n):
    """Matrices, and of each by task the answer in 40 digits with the size that its error is measured by."""
    mpmath = pytest.importorskip("mpmath", reason="mpmath is the oracle of digits")
    X = np.random.default_rng(40).standard_normal((40, n, n + 2))
    full = X @ X.mT / n + 0.1 * np.eye(n)
    full = np.tril(full) + np.tril(full, -1).mT
    functions = {"log": mpmath.log, "inverse square root": lambda w: 1 / mpmath.sqrt(w), "exp": mpmath.exp}
    answers = []
    with mpmath.workdps(40):
        for A in map(mpmath.matrix, full.tolist()):
            values, vectors = mpmath.eigsy(A)
            found = {"cholesky": (mpmath.cholesky(A), mpmath.sqrt(max(values)))}
            for task, function in functions.items():
                diagonal = [function(w) for w in values]
                answer = vectors * mpmath.diag(diagonal) * vectors.T
                found[task] = answer, max(abs(w) for w in diagonal)
            answers.append(found)
    return full, answers


@every_target
@cases.each("n", [2, 3, 6])
@cases.each("task", list(BOUNDS))
def test_answers_keep_their_digits(task, n):
    full, answers = exact_answers(n)
    found = expanded(TASKS[task][0](halves_of(full), batch="vech"), "vech", task)
    for one, exact in zip(found, answers, strict=True):
        answer, size = exact[task]
        worst = max(abs(float(one[i, j]) - answer[i, j]) for i in range(n) for j in range(n))
        assert worst <= BOUNDS[task][n] * EPS * size


@every_target
@cases.each("p", [0.5, -0.5, 1 / 3, -0.25, 2, 3, -1, -2, 0, 1, 0.1, 1.7])
def test_powers_of_diagonal_matrices_are_those_of_numbers(p):
    numbers = np.exp(RNG.uniform(-60, 60, (200, 3)))
    numbers.sort(axis=-1)
    half = np.zeros((200, 6))
    half[:, [0, 3, 5]] = numbers
    found = linalg.power(half, p, batch="vech")
    np.testing.assert_allclose(found[:, [0, 3, 5]], numbers**p, rtol=4 * EPS)
    np.testing.assert_array_equal(found[:, [1, 2, 4]], 0)


@every_target
@cases.each("p", [999.5, -999.5, 4000.5, -4000.5, 1e9])
def test_powers_with_far_exponents_keep_what_digits_there_are(p):
    numbers = np.exp(np.array([[-300, 0, 300], [0, 100, 400]]) / abs(p))
    half = np.zeros((2, 6))
    half[:, [0, 3, 5]] = numbers
    found = linalg.power(half, p, batch="vech")
    np.testing.assert_allclose(found[:, [0, 3, 5]], numbers**p, rtol=8 * EPS * (abs(p) + 400))
    half[1, 5] = 2.0 ** math.copysign(1, p) * 4
    if p > 0:
        with pytest.raises(OverflowError, match=r"^the power with exponent .* of matrix 1 of the batch has"):
            linalg.power(half, 2 * p, batch="vech")


@every_target
def test_logarithms_and_exponentials_of_diagonal_matrices_are_those_of_numbers():
    numbers = np.exp(RNG.uniform(-30, 30, (500, 3)))
    half = np.zeros((500, 6))
    half[:, [0, 3, 5]] = numbers
    found = linalg.log(half, batch="vech")[:, [0, 3, 5]]
    np.testing.assert_allclose(found, np.log(numbers), rtol=4 * EPS)
    ends = np.array([2.0**-390, 1e-310, 5e-324])  # subnormal beside what is not
    half[0, [0, 3, 5]] = ends
    found = linalg.log(half[:1], batch="vech")[0, [0, 3, 5]]
    np.testing.assert_allclose(found, np.log(ends), rtol=4 * EPS)
    half[:, [0, 3, 5]] = RNG.uniform(-740, 709.7, (500, 3))
    found = linalg.exp(half, batch="vech")[:, [0, 3, 5]]
    np.testing.assert_allclose(found, np.exp(half[:, [0, 3, 5]]), rtol=8 * EPS, atol=1e-323)


@every_target
@pytest.mark.parametrize("scale", [1e-300, 1e-310, 1e300])
def test_functions_reach_the_ends_of_the_dtype(scale):
    full = definite(20, 3, least=1.0)
    half = halves_of(full) * scale
    full = vech.expand(half) / scale if scale > 1e-305 else vech.expand(half) * 1e300 * 1e10
    eps = EPS if scale > 1e-305 else 1e-11
    root = vech.expand(linalg.power(half, 0.5, batch="vech"))
    agrees("square root", root / math.sqrt(scale), full, eps=eps)
    factor = vech.expand(linalg.cholesky(half, batch="vech"), kind="triangular")
    agrees("cholesky", factor / math.sqrt(scale), full, eps=eps)
    log = vech.expand(linalg.log(half, batch="vech")) - math.log(scale) * np.eye(3)
    assert (np.abs(log - of_values(full, np.log)) <= 1e3 * eps * 20).all()
    logdet = linalg.slogdet(half, batch="vech").logabsdet - 3 * math.log(scale)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(full).logabsdet, atol=1e4 * eps)
    if scale > 1e-305:
        agrees("inverse", vech.expand(linalg.inverse(half, batch="vech")) * scale, full)
        b = np.full(3, scale)
        np.testing.assert_allclose(
            linalg.solve(half, b, batch="vech"),
            np.linalg.solve(full, np.ones((20, 3, 1)))[..., 0],
            rtol=1e-12,
        )


@every_target
def test_numbers_of_4_bytes_are_computed_with_as_doubles():
    full = definite(50, 6).astype(np.float32)
    half = halves_of(full)
    exact = vech.expand(half.astype(float))
    for task, (ours, oracle) in TASKS.items():
        found = ours(half, batch="vech")
        assert found.dtype == np.float32
        expected = oracle(exact)
        size = np.abs(expected).max((-1, -2), keepdims=True)
        worst = np.abs(expanded(found, "vech", task) - expected) / size
        assert worst.max() <= np.finfo(np.float32).eps
    values, vectors = linalg.eigh(half, batch="vech")
    assert values.dtype == vectors.dtype == np.float32
    np.testing.assert_allclose(values, np.linalg.eigvalsh(exact), rtol=2e-7)


# ---- memory, threads, dtypes -------------------------------------------------------------------------------


@every_target
@pytest.mark.parametrize("n", [3, 7, 17])
def test_halves_lie_anywhere(n):
    plain = halves_of(definite(24, n))
    expected = linalg.inverse(plain, batch="vech")
    cube = plain.reshape(2, 3, 4, -1)
    strided = np.zeros((4, 2, 2 * cube.shape[-1], 3))[:, :, ::2, :]
    view = strided.transpose(1, 3, 0, 2)
    view[...] = cube
    np.testing.assert_array_equal(
        linalg.inverse(view, batch="vech"), expected.reshape(cube.shape), strict=True
    )
    np.testing.assert_array_equal(linalg.inverse(plain[::-1], batch="vech"), expected[::-1])
    np.testing.assert_array_equal(linalg.inverse(plain.astype(">f8"), batch="vech"), expected)
    np.testing.assert_array_equal(linalg.inverse(plain[3], batch="vech"), expected[3])
    np.testing.assert_array_equal(linalg.inverse(plain[:, None], batch="vech")[:, 0], expected)
    out = np.empty((2, 3, 4, 2 * cube.shape[-1]))[..., ::2]
    assert linalg.inverse(view, batch="vech", out=out) is out
    np.testing.assert_array_equal(out, expected.reshape(cube.shape))
    rank = np.empty((4, 3, 2, n, n)).transpose(2, 1, 0, 4, 3)
    values = np.empty((2, 3, 4, n))
    found = linalg.eigh(view, batch="vech", out=(values, rank))
    assert found[0] is values and found[1] is rank
    w, V = linalg.eigh(plain, batch="vech")
    np.testing.assert_array_equal(rank, V.reshape(rank.shape))
    np.testing.assert_array_equal(values, w.reshape(values.shape))


@every_target
@pytest.mark.parametrize("n", [3, 6, 10])
def test_any_number_of_threads_gives_the_same_bits(n):
    half = halves_of(definite(8000 // n, n))
    for function in (linalg.cholesky, linalg.inverse, linalg.log):
        one = function(half, batch="vech", threads=1)
        np.testing.assert_array_equal(function(half, batch="vech", threads=3), one)
    one = linalg.eigh(half, batch="vech", threads=1)
    for left, right in zip(linalg.eigh(half, batch="vech", threads=3), one, strict=True):
        np.testing.assert_array_equal(left, right)


@every_target
def test_the_bits_of_a_matrix_do_not_depend_on_its_neighbours():
    hard = halves_of(np.array(list(special(5))) + 0.25 * np.eye(5))
    easy = np.broadcast_to(halves_of(np.eye(5)), (40, 15)).copy()
    for k, half in enumerate(hard):
        batch = easy.copy()
        batch[(7 * k) % 40] = half
        for alone, among in zip(
            linalg.eigh(half, batch="vech"), linalg.eigh(batch, batch="vech"), strict=True
        ):
            np.testing.assert_array_equal(alone, among[(7 * k) % 40])


def test_integers_become_float64():
    half = np.array([[4, 2, 10], [1, 0, 9]], np.int16)
    np.testing.assert_array_equal(linalg.cholesky(half, batch="vech"), [[2, 1, 3], [1, 0, 3]])
    with pytest.raises(TypeError, match=r"^halves has dtype float16, with which LAPACK does not compute"):
        linalg.cholesky(half.astype(np.float16), batch="vech")


@cases.each("n", [1, 3, 6, 17])
@cases.each("layout", ["vech", "numpy-triu", "lapack-rfp-nu", "svec-upper"])
@cases.each("task", list(TASKS))
def test_hermitian_matrices_go_through_lapack(task, layout, n):
    X = RNG.standard_normal((6, n, n)) + 1j * RNG.standard_normal((6, n, n))
    full = X @ np.conj(X.mT) + np.eye(n)
    half = vech.pack(full, layout, kind="hermitian", use="lower")
    found = TASKS[task][0](half, batch=layout, kind="hermitian")
    agrees(task, expanded(found, layout, task, "hermitian"), full)
    values, vectors = linalg.eigh(half, batch=layout, kind="hermitian")
    assert values.dtype == np.float64 and vectors.dtype == np.complex128
    np.testing.assert_allclose((vectors * values[:, None]) @ np.conj(vectors.mT), full, atol=1e-11 * n)
    signs, logs = linalg.slogdet(half, batch=layout, kind="hermitian")
    assert signs.dtype == np.float64
    np.testing.assert_allclose(signs * np.exp(logs), np.linalg.det(full), rtol=1e-10)


def halves_and_matrices(kind, dtype, layout, n, count=5):
    """Halves with numbers on their diagonal, and matrices with what the kind leaves of it."""
    half = RNG.standard_normal((count, vech.as_layout(layout).length(n))).astype(dtype)
    if dtype == "c16":
        half = half + 1j * RNG.standard_normal(half.shape)
    full = vech.expand(half, layout, kind=kind)
    on = np.einsum("kii->ki", full)
    on[...] = {"symmetric": on, "hermitian": on.real, "skew": 0 * on, "skew-hermitian": on - on.real}[kind]
    return half, full


@cases.each("n", [2, 4, 16, 18])
@cases.each("layout", ["numpy-tril", "svec-upper", "condensed"])
@cases.each("dtype", ["f8", "c16"])
@cases.each("kind", ["symmetric", "hermitian", "skew", "skew-hermitian"])
def test_every_kind_is_inverted_and_solved(kind, dtype, layout, n):
    half, full = halves_and_matrices(kind, dtype, layout, n)
    answers = vech.as_layout(layout).plain if layout == "condensed" else layout
    inverse = linalg.inverse(half, batch=layout, kind=kind)
    np.testing.assert_allclose(
        vech.expand(inverse, answers, kind=kind) @ full, np.eye(n) + 0 * full, atol=1e-9
    )
    b = RNG.standard_normal((5, n))
    np.testing.assert_allclose(
        (full @ linalg.solve(half, b, batch=layout, kind=kind)[..., None])[..., 0], b, atol=1e-9
    )
    signs, logs = linalg.slogdet(half, batch=layout, kind=kind)
    np.testing.assert_allclose(signs * np.exp(logs), np.linalg.det(full), rtol=1e-10)


@cases.each("n", [1, 3, 5, 17])
@cases.each(("kind", "dtype"), [("skew", "f8"), ("skew", "c16"), ("skew-hermitian", "f8")])
def test_skew_matrices_of_an_odd_side_are_singular(kind, dtype, n):
    half, _ = halves_and_matrices(kind, dtype, "vech", n)
    signs, logs = linalg.slogdet(half, batch="vech", kind=kind)
    assert (signs == 0).all() and (logs == -np.inf).all()
    for call in (linalg.inverse, partial(linalg.solve, b=np.ones(n))):
        with pytest.raises(np.linalg.LinAlgError, match=r"^matrix 0 of the batch is singular"):
            call(half, batch="vech", kind=kind)


def test_empty_batches_and_matrices_have_empty_answers():
    for n in (0, 3, 20):
        length = n * (n + 1) // 2
        for function in (
            linalg.cholesky,
            linalg.inverse,
            linalg.log,
            linalg.exp,
            partial(linalg.power, p=-0.5),
        ):
            assert function(np.empty((0, 2, length)), batch="vech").shape == (0, 2, length)
        values, vectors = linalg.eigh(np.empty((0, length)), batch="vech")
        assert values.shape == (0, n) and vectors.shape == (0, n, n)
        assert linalg.slogdet(np.empty((4, 0, length)), batch="vech").sign.shape == (4, 0)
        assert linalg.solve(np.empty((0, length)), np.empty((0, n)), batch="vech").shape == (0, n)
    assert linalg.cholesky(np.empty((3, 0)), batch="vech").shape == (3, 0)
    assert linalg.eigh(np.empty((3, 0)), batch="vech")[1].shape == (3, 0, 0)
    np.testing.assert_array_equal(linalg.slogdet(np.empty((3, 0)), batch="vech").logabsdet, 0)
    np.testing.assert_array_equal(linalg.cholesky(np.empty((3, 0)), batch=vech.Layout(diagonal="one")), 1)


# ---- errors ------------------------------------------------------------------------------------------------


def refuses(error, message, call, *arguments, **options):
    with pytest.raises(error) as info:
        call(*arguments, **options)
    assert str(info.value) == message


@every_target
@cases.each("n", [3, 6, 7, 20])
@cases.each("value", [np.nan, np.inf, -np.inf])
def test_the_first_number_that_is_not_finite_is_named(n, value):
    half = halves_of(definite(1000, n))
    half[701, 1] = value
    half[702, 2] = value
    half[800] = -half[800]
    tasks = {
        "cholesky": linalg.cholesky, "inverse": linalg.inverse, "log": linalg.log, "exp": linalg.exp,
        "power with exponent 0.5": partial(linalg.power, p=0.5), "eigh": linalg.eigh,
        "slogdet": linalg.slogdet,
        "solve": partial(linalg.solve, b=np.ones(n)),
    }  # fmt: skip
    for task, function in tasks.items():
        message = f"matrix 701 of the batch has {value} at [1, 0]: {task} needs finite numbers"
        refuses(ValueError, message, function, half, batch="vech", threads=2)
    message = f"matrix (7, 0, 1) of the batch has {value} at [1, 0]: cholesky needs finite numbers"
    refuses(ValueError, message, linalg.cholesky, half.reshape(10, 50, 2, -1)[:, ::2], batch="vech")
    message = f"the matrix has {value} at [1, 0]: cholesky needs finite numbers"
    refuses(ValueError, message, linalg.cholesky, half[701], batch="vech")


@every_target
@pytest.mark.parametrize("n", [3, 6, 7, 20])
def test_the_first_matrix_that_is_not_definite_is_named(n):
    half = halves_of(definite(900, n)).reshape(30, 30, -1)
    spoilt = np.eye(n)
    spoilt[1, 0] = spoilt[0, 1] = 2.0
    half[11, 5] = halves_of(spoilt)
    half[20, 1] = -half[20, 1]
    refuses(
        np.linalg.LinAlgError,
        "matrix (11, 5) of the batch is not positive definite: its leading minor of order 2 is not positive; "
        "solve, inverse and slogdet take indefinite matrices",
        linalg.cholesky, half, batch="vech", threads=3,
    )  # fmt: skip
    for task, function in {
        "log": linalg.log,
        "power with exponent -0.5": partial(linalg.power, p=-0.5),
        "power with exponent 0.25": partial(linalg.power, p=0.25),
    }.items():
        refuses(
            np.linalg.LinAlgError,
            f"matrix (11, 5) of the batch is not positive definite: its smallest eigenvalue is -1, "
            f"and {task} needs positive ones",
            function, half, batch="vech",
        )  # fmt: skip


@every_target
@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_zeros_have_roots_and_no_inverse(n):
    half = halves_of(definite(20, n))
    half[4] = 0
    singular = "matrix 4 of the batch is singular: {} has no answer for it"
    refuses(np.linalg.LinAlgError, singular.format("inverse"), linalg.inverse, half, batch="vech")
    refuses(np.linalg.LinAlgError, singular.format("solve"), linalg.solve, half, np.ones(n), batch="vech")
    refuses(
        np.linalg.LinAlgError, singular.format("power with exponent -2"), linalg.power, half, -2, batch="vech"
    )
    root = linalg.power(half, 0.5, batch="vech")
    np.testing.assert_array_equal(root[4], 0)
    sign, logabsdet = linalg.slogdet(half, batch="vech")
    assert sign[4] == 0 and logabsdet[4] == -np.inf and (sign != 0).sum() == 19
    np.testing.assert_array_equal(linalg.power(half, 0, batch="vech")[4], halves_of(np.eye(n)))


@every_target
def test_semidefinite_matrices_have_roots():
    X = RNG.standard_normal((100, 6, 2))
    full = X @ X.mT
    root = vech.expand(linalg.power(halves_of(full), 0.5, batch="vech"))
    close(root @ root, full, full, 40)


@every_target
@pytest.mark.parametrize("n", [2, 3, 6, 20])
def test_answers_beyond_the_dtype_are_an_overflow(n):
    half = halves_of(definite(20, n))
    half[3] = halves_of(800 * np.eye(n))
    message = (
        "the exp of matrix 3 of the batch has numbers beyond float64: subtract a multiple of the identity "
        "first"
    )
    refuses(OverflowError, message, linalg.exp, half, batch="vech")
    half[3] = halves_of(1e-310 * np.eye(n))
    message = "the inverse of matrix 3 of the batch has numbers beyond float64: scale it by a number first"
    refuses(OverflowError, message, linalg.inverse, half, batch="vech")
    half[3] = 1.7e308
    message = "the eigh of matrix 3 of the batch has numbers beyond float64: scale it by a number first"
    refuses(OverflowError, message, linalg.eigh, half, batch="vech")


@every_target
def test_answers_beyond_float32_are_an_overflow():
    half = np.array([[1, 0, 1], [1e-39, 0, 1]], np.float32)
    message = "the inverse of matrix 1 of the batch has numbers beyond float32: scale it by a number first"
    refuses(OverflowError, message, linalg.inverse, half, batch="vech")


def test_what_does_not_fit_is_refused():
    half = halves_of(definite(4, 3))
    S = vech.Packed(half[0])
    refuses(
        TypeError,
        "batch= is the layout of an array of halves, and S is a Packed, which is one matrix: leave batch out",
        linalg.cholesky, S, batch="vech",
    )  # fmt: skip
    refuses(
        TypeError,
        "inverse of one matrix takes no kind and no out: batch= says the layout of halves (..., length)",
        linalg.inverse, S, kind="symmetric", out=half,
    )  # fmt: skip
    refuses(
        ValueError, "halves is a single number: halves have the shape (..., length)",
        linalg.cholesky, np.array(3.0), batch="vech",
    )  # fmt: skip
    with pytest.raises(
        ValueError, match=r"^a half of length 5 fits no n: with its diagonal n\(n\+1\)/2 is 3"
    ):
        linalg.cholesky(half[:, :5], batch="vech")
    with pytest.raises(ValueError, match=r"^unknown layout 'vec'"):
        linalg.cholesky(half, batch="vec")
    with pytest.raises(ValueError, match=r"^complex numbers mirror in more than one way"):
        linalg.cholesky(half + 0j, batch="vech")
    refuses(
        TypeError,
        "log needs real symmetric or Hermitian matrices, and halves are complex symmetric: solve, "
        "inverse and slogdet take every kind",
        linalg.log, half + 0j, batch="vech", kind="symmetric",
    )  # fmt: skip
    refuses(
        TypeError,
        "cholesky needs real symmetric or Hermitian matrices, and halves are skew: solve, inverse and "
        "slogdet take every kind",
        linalg.cholesky, half, batch="vech", kind="skew",
    )  # fmt: skip
    refuses(
        ValueError,
        "b has shape (4, 2), but halves (4, 6) are of side 3: (4, 3), or (4, 3, m)",
        linalg.solve, half, np.ones((4, 2)), batch="vech",
    )  # fmt: skip
    refuses(
        ValueError,
        "b has shape (3, 3), but halves (4, 6) are of side 3: (4, 3), or (4, 3, m)",
        linalg.solve, half, np.ones((3, 3)), batch="vech",
    )  # fmt: skip
    refuses(
        ValueError, "b[1] is nan: solve needs finite numbers",
        linalg.solve, half, np.array([0, np.nan, 0]), batch="vech",
    )  # fmt: skip
    refuses(
        TypeError, "solver and its options are of one matrix: leave them out beside batch=",
        linalg.solve, half, np.ones(3), batch="vech", solver="cg",
    )  # fmt: skip
    refuses(
        TypeError, "eigh of a batch takes no driver: eigvals_only is its one option",
        linalg.eigh, half, batch="vech", driver="evd",
    )  # fmt: skip
    refuses(
        TypeError, "out of eigh is two arrays, (values, vectors), not ndarray",
        linalg.eigh, half, batch="vech", out=np.ones((4, 3)),
    )  # fmt: skip
    refuses(
        TypeError, "resume, executor and progress are of cholesky(T, out='L.zarr'), by tiles",
        linalg.cholesky, half, batch="vech", resume=True,
    )  # fmt: skip
    refuses(
        ValueError, "out has shape (4, 5), but the result has (4, 6)",
        linalg.cholesky, half, batch="vech", out=np.ones((4, 5)),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"^out shares memory with the input"):
        linalg.cholesky(half, batch="vech", out=half)
    for p in ("2", None, True, 1j):
        refuses(TypeError, f"p must be a real number, not {p!r}: it is the exponent", linalg.power, half, p)
    refuses(
        ValueError,
        "p is 100000000000000000...0000000000000000000, and an exponent must be finite",
        linalg.power, half, 10**400, batch="vech",
    )  # fmt: skip
    refuses(ValueError, "p is nan, and an exponent must be finite", linalg.power, half, np.nan, batch="vech")
    with pytest.raises(ValueError, match=r"^threads must be at least 1, not 0$"):
        linalg.eigh(half, batch="vech", threads=0)


# ---- functions of one matrix -------------------------------------------------------------------------------


@cases.each("layout", ["vech", "svec-upper", "lapack-rfp-nl"])
@cases.each("kind", ["symmetric", "hermitian"])
@cases.each("n", [1, 2, 5, 30])
def test_functions_of_a_store_are_stores(layout, kind, n):
    X = RNG.standard_normal((n, n)) + (1j * RNG.standard_normal((n, n)) if kind == "hermitian" else 0)
    full = X @ np.conj(X.T) + np.eye(n)
    labels = [f"r{k}" for k in range(n)]
    S = vech.Packed(vech.pack(full, layout, kind=kind, use="lower"), layout, kind=kind, labels=labels)
    for task, function in {
        "log": linalg.log, "exp": linalg.exp, "inverse square root": partial(linalg.power, p=-0.5),
        "square": partial(linalg.power, p=2),
    }.items():  # fmt: skip
        if task == "exp":
            found = function(S * 0.01)
            expected = of_values(full * 0.01, np.exp)
        else:
            found, expected = function(S), TASKS[task][1](full)
        assert found.layout == S.layout and found.labels == S.labels and found.kind == S.kind
        np.testing.assert_allclose(found.expand(), expected, atol=1e-10 * np.abs(expected).max())


def test_functions_of_a_store_name_what_is_wrong():
    S = vech.Packed(np.array([1.0, 2.0, 1.0]))
    refuses(
        np.linalg.LinAlgError,
        "S is not positive definite: its smallest eigenvalue is -1, and log needs positive ones",
        linalg.log, S,
    )  # fmt: skip
    refuses(
        np.linalg.LinAlgError, "S is singular: power with exponent -1 has no answer for it",
        linalg.power, vech.Packed(np.zeros(3)), -1,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"^S\[1, 0\] is nan: factors need finite numbers$"):
        linalg.exp(vech.Packed(np.array([1.0, np.nan, 1.0])))
    with pytest.raises(
        OverflowError, match=r"^the exp has numbers beyond float64: multiply S by a number first$"
    ):
        linalg.exp(S * 1000)
    with pytest.raises(TypeError, match=r"^log needs a real symmetric or a Hermitian matrix, and S is skew"):
        linalg.log(vech.Packed(np.array([0.0, 1.0, 0.0]), kind="skew"))
    assert linalg.log(vech.Packed(np.empty(0))).n == 0


# ---- the kernel itself -------------------------------------------------------------------------------------


def test_no_lane_is_wasted_on_memory_that_is_not_there():
    """The last matrix ends where the array ends: on a page that nothing follows."""
    import mmap

    page = mmap.PAGESIZE
    block = np.frombuffer(mmap.mmap(-1, page), np.float64)
    half = block[-6 * 5 :].reshape(5, 6)
    half[...] = halves_of(definite(5, 3))
    out = np.empty((5, 6))
    places = np.array([0, 1, 3, 2, 4, 5], np.int32)
    assert _core.small_halves(
        "cholesky", half, 3, places, out, np.argsort(places).astype(np.int32), (1.0, 1.0), 0.0, 0.0, 0.0, 1
    ) is None  # fmt: skip
    np.testing.assert_array_equal(out, linalg.cholesky(half, batch="vech"))


@every_target
@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_what_is_singular_but_for_rounding_has_no_inverse(n):
    for column in (np.ones(n), np.arange(1.0, n + 1)):
        half = vech.pack(np.outer(column, column))[None]
        for call in (partial(linalg.inverse, half), partial(linalg.solve, half, np.ones(n))):
            with pytest.raises(np.linalg.LinAlgError, match="matrix 0 of the batch is singular"):
                call(batch="vech")
    exact = vech.pack(np.diag(np.where(np.arange(n) == 1, -1e-30, 1.0)))[None]
    inverse = linalg.inverse(exact, batch="vech")
    np.testing.assert_allclose(inverse.min(), -1e30, rtol=4 * EPS)


@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 6)])
def test_halves_without_their_layout_are_told_to_say_it(shape):
    six = np.ones(shape)
    for call in (vech.linalg.eigh, vech.linalg.inverse, lambda S: vech.linalg.solve(S, np.ones(3))):
        with pytest.raises(
            ValueError, match=r"6\): \w+ takes a square matrix, or with batch= halves .*batch='v"
        ):
            call(six)
    assert vech.linalg.eigh(six, batch="vech")[0].shape == (*shape[:-1], 3)
