"""Eigenvalues, norms and inner products of halves, against NumPy on the full matrix."""

import re

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from numpy.linalg import LinAlgError
from scipy.sparse.linalg import aslinearoperator

import cases
import reference
import vech
from vech.linalg import (
    cond,
    covariance_of_vech,
    eigh,
    eigsh,
    inner,
    inverse,
    lobpcg,
    nearest_correlation,
    nearest_psd,
    norm,
    shrink_to_psd,
    slogdet,
    solve,
)

INEXACT = {name: cases.DTYPES[name] for name in ("float32", "float64", "complex64", "complex128", ">f8")}
NUMBERS = INEXACT | {name: cases.DTYPES[name] for name in ("int32", "uint8", "int64")}


def store(dtype, layout, kind, n, *, salt=0):
    """A store of moderate numbers, and the full matrix that it computes as."""
    half = cases.half(dtype, layout, kind, n, values=cases.moderate, salt=salt)
    return vech.Packed(half, layout, kind=kind), reference.expand(half, layout, kind)


def close(got, want, n, scale=1.0):
    bound = 8 * cases.tolerance(np.asarray(want).dtype, n) or 1e-13
    assert np.max(np.abs(np.asarray(got) - want), initial=0) <= bound * scale


def fits(layout, dtype, kind, n):
    proper = dtype.kind == "c" or kind not in ("hermitian", "skew-hermitian")
    return proper and cases.fits(layout, dtype, kind, n)


EVERY = cases.pairwise(
    fits, layout=cases.LAYOUTS, dtype=NUMBERS, kind=cases.STORE_KINDS, n=(0, 1, 2, 3, 4, 17, 33)
)


@cases.each(("layout", "dtype", "kind", "n"), EVERY)
def test_norms_are_those_of_the_full_matrix(layout, dtype, kind, n):
    S, full = store(dtype, layout, kind, n)
    wide = full.astype(np.complex128)
    scale = np.abs(wide).sum()
    absolute = np.abs(wide)
    for ord, want in (
        ("fro", np.sqrt((absolute**2).sum())),
        (1, absolute.sum(axis=0).max(initial=0)),
        (np.inf, absolute.sum(axis=1).max(initial=0)),
        ("max", absolute.max(initial=0)),
        (2, np.linalg.norm(wide, 2) if n else 0.0),
    ):
        got = norm(S, ord)
        assert isinstance(got, float)
        close(got, full.real.astype(np.promote_types(full.real.dtype, "f4")).dtype.type(want), n, scale)


@cases.each(("layout", "dtype", "kind", "n"), EVERY)
def test_inner_products_are_those_of_the_full_matrices(layout, dtype, kind, n):
    S, full = store(dtype, layout, kind, n)
    for other_dtype, other, other_kind in (
        (dtype, layout, kind),
        (np.dtype("float64"), cases.PLAIN["upper-rows-stored"], "symmetric"),
        (np.dtype("complex128"), cases.PLAIN["lower-rows-stored"], "hermitian"),
        (np.dtype("complex64"), cases.PLAIN["upper-columns-stored"], "skew"),
    ):
        T, other_full = store(other_dtype, other, other_kind, n, salt=1)
        want = np.vdot(full.astype(np.complex128), other_full.astype(np.complex128))
        scale = np.vdot(np.abs(full), np.abs(other_full)).real
        precision = np.promote_types(np.result_type(dtype, other_dtype, "f4"), "c8").type(want)
        got = inner(S, T)
        close(got, precision, n, scale)
        close(inner(T, S), precision.conj(), n, scale)
        if S.kind == T.kind == "hermitian" or full.dtype.kind == other_full.dtype.kind == "f":
            assert not np.iscomplexobj(got)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
def test_the_two_norm_of_larger_matrices_is_by_lanczos(kind):
    S, full = store(np.dtype("complex128"), vech.Layout(), kind, 70)
    assert norm(S, 2) == pytest.approx(np.linalg.norm(full, 2), rel=1e-10)
    zero = vech.Packed(np.zeros(70 * 71 // 2), kind="symmetric")
    assert norm(zero, 2) == 0


SELFADJOINT = [
    ("float32", "symmetric"),
    ("float64", "symmetric"),
    ("complex128", "hermitian"),
    ("int32", "symmetric"),
]


@cases.each("layout", [vech.Layout(), vech.Layout("upper", "rows"), cases.RFP["lapack-rfp-tu"]])
@cases.each(("dtype", "kind"), SELFADJOINT)
def test_eigenpairs_are_those_of_the_full_matrix(dtype, kind, layout):
    n = 60
    S, full = store(np.dtype(dtype), layout, kind, n)
    full = full.astype(np.promote_types(full.dtype, "f4") if dtype != "int32" else float)
    wanted, scale = np.linalg.eigvalsh(full), np.linalg.norm(full, 2)
    values, vectors = eigh(S)
    assert vectors.dtype == full.dtype
    close(values, wanted, n, scale)
    close(full @ vectors, vectors * values, n, scale)
    close(eigh(S, eigvals_only=True, subset_by_index=[2, 4]), wanted[2:5], n, scale)
    for which, some in (("LA", wanted[-3:]), ("SA", wanted[:3])):
        values, vectors = eigsh(S, 3, which)
        assert values.dtype == wanted.dtype
        close(values, some, n, 10 * scale)
        close(full @ vectors, vectors * values, n, 10 * scale)
    near = np.sort(wanted[np.argsort(np.abs(wanted - 0.5))[:2]])
    close(np.sort(eigsh(S, 2, sigma=0.5, return_eigenvectors=False)), near, n, 100 * scale)


def test_lobpcg_finds_the_largest():
    S, full = store(np.dtype(float), vech.Layout(), "symmetric", 60)
    start = cases.moderate(float, (60, 3))
    values, vectors = lobpcg(S, start, tol=1e-8, maxiter=300)
    wanted = np.linalg.eigvalsh(full)[::-1]
    assert values[:2] == pytest.approx(wanted[:2], rel=1e-6)
    assert full @ vectors[:, 0] == pytest.approx(values[0] * vectors[:, 0], abs=1e-4)


def test_every_store_has_eigenpairs():
    full = cases.matrix(np.dtype(float), "symmetric", 40)
    S = vech.SparseHalf(*reference.csr(full, "lower"), 40, triangle="lower")
    assert eigsh(S, 2, "LA")[0] == pytest.approx(np.linalg.eigvalsh(full)[-2:])
    with pytest.raises(
        TypeError, match=r"eigh takes a Packed store, not SparseHalf: eigh\(S.to_packed\(\)\)"
    ):
        eigh(S)


def test_wrong_questions_are_refused():
    S = vech.Packed(np.arange(6.0))
    with pytest.raises(
        ValueError,
        match="eigsh finds 1 to 3 eigenvalues of a matrix of side 3, not k = 6",
    ):
        eigsh(S)
    with pytest.raises(ValueError, match="unknown ord 'nuc': choose from 'fro', 'max', 1, 2, inf"):
        norm(S, "nuc")
    with pytest.raises(ValueError, match="matrices of 3 and of 2 rows do not fit each other"):
        inner(S, vech.Packed(np.arange(3.0)))
    for kind, name in (("symmetric", "complex symmetric"), ("skew-hermitian", "skew-hermitian")):
        Z = vech.Packed(np.arange(6) * 1j, kind=kind)
        for task in (eigh, lambda Z: eigsh(Z, 1), lambda Z: lobpcg(Z, np.ones((3, 1)))):
            message = f"needs a real symmetric or a Hermitian matrix, and S is {name}: scipy.linalg.eig"
            with pytest.raises(TypeError, match=message):
                task(Z)
    for task in (eigh, lambda S: norm(S, 2)):
        with pytest.raises(ValueError, match=r"S\[1, 0\] is nan: factors need finite numbers"):
            task(vech.Packed(np.array([1, np.nan, 1])))


# ---- shifts ------------------------------------------------------------------------------------------------

MADE = {
    "array": lambda M, kind: M,
    "sparse": lambda M, kind: scipy.sparse.csr_array(M),
    "packed": lambda M, kind: vech.Packed(vech.pack(M, "lapack-upper", kind=kind), "lapack-upper", kind=kind),
    "sparse half": lambda M, kind: vech.SparseHalf(
        *reference.csr(M, "lower"), len(M), triangle="lower", kind=kind
    ),
}


def weights(dtype, n):
    """A definite matrix that is not diagonal."""
    full = np.diag(np.arange(1.0, n + 1)).astype(dtype)
    full[0, 1], full[1, 0] = (0.5j, -0.5j) if dtype == "complex128" else (0.5, 0.5)
    return full


@cases.each("made", MADE.values(), ids=MADE)
@cases.each(
    ("dtype", "kind", "mode"),
    [
        ("float64", "symmetric", "normal"),
        ("float64", "symmetric", "cayley"),
        ("complex128", "hermitian", "normal"),
    ],
)
def test_with_sigma_and_a_mass_the_nearest_of_the_generalised_problem_are_found(dtype, kind, made, mode):
    n = 40
    S, full = store(np.dtype(dtype), vech.Layout("upper", "rows"), kind, n)
    M = weights(dtype, n)
    every = scipy.linalg.eigh(full, M, eigvals_only=True)
    values, vectors = eigsh(S, 3, M=made(M, kind), sigma=0.3, mode=mode)
    close(values, np.sort(every[np.argsort(np.abs(every - 0.3))[:3]]), n, 1000)
    close(full @ vectors, M @ vectors * values, n, 1000)


def test_buckling_shifts_by_a_multiple_of_its_mass():
    n = 40
    indefinite = cases.matrix("float64", "symmetric", n)
    K = weights("float64", n)
    every = 1 / scipy.linalg.eigh(indefinite, K, eigvals_only=True)  # of K x = l M x
    values = eigsh(vech.Packed(vech.pack(K)), 3, M=indefinite, sigma=1.0, mode="buckling")[0]
    close(values, np.sort(every[np.argsort(np.abs(every / (every - 1)))[-3:]]), n, 1000)


def test_a_shift_needs_numbers_of_the_mass_that_fit():
    S, full = store(np.dtype(float), vech.Layout(), "symmetric", 20)
    M = weights("float64", 20)
    with pytest.raises(
        TypeError, match=r"M is a \w+, which has no numbers to shift S by: pass OPinv, \(S - sigma M"
    ):
        eigsh(S, 2, M=aslinearoperator(M), sigma=0.3)
    inverse = aslinearoperator(np.linalg.inv(full - 0.3 * M))
    every = scipy.linalg.eigh(full, M, eigvals_only=True)
    found = eigsh(S, 2, M=aslinearoperator(M), sigma=0.3, OPinv=inverse, return_eigenvectors=False)
    close(found, np.sort(every[np.argsort(np.abs(every - 0.3))[:2]]), 20, 1000)
    for wrong in (np.eye(19), weights("complex128", 20)):
        with pytest.raises(
            ValueError, match=r"M is Packed\(.* M must be of the side of S, and real where S is"
        ):
            eigsh(S, 2, M=wrong, sigma=0.3)
    M[3, 2] = M[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"M\[3, 2\] is nan: eigsh needs finite numbers"):
        eigsh(S, 2, M=M, sigma=0.3)
    with pytest.raises(TypeError, match="eigsh needs a real symmetric or a Hermitian matrix, and M is skew"):
        eigsh(S, 2, M=vech.Packed(np.ones(210), kind="skew"), sigma=0.3)


# ---- what is asked -----------------------------------------------------------------------------------------

TRIDIAGONAL = np.array([2.0, 1, 0, 2, 1, 2])


def refuses(error, message, task, *arguments, **options):
    with pytest.raises(error, match=re.escape(message)):
        task(*arguments, **options)


@pytest.mark.parametrize("k", [2.5, True, "a", None])
def test_how_many_is_an_integer(k):
    refuses(TypeError, f"k must be an integer, not {k!r}", eigsh, vech.Packed(TRIDIAGONAL), k)


def test_sigma_is_a_finite_number_beside_the_eigenvalues():
    S = vech.Packed(TRIDIAGONAL)
    for sigma in (1j, "a"):
        refuses(TypeError, f"sigma must be a real number, not {sigma!r}", eigsh, S, 1, sigma=sigma)
    for sigma in (np.inf, float("nan")):
        refuses(ValueError, f"sigma must be finite, not {sigma!r}", eigsh, S, 1, sigma=sigma)
    refuses(LinAlgError, "sigma = 2.0 is an eigenvalue, and has no factor", eigsh, S, 1, sigma=2)


def test_which_is_one_of_scipys():
    S = vech.Packed(np.arange(15) + 0j, kind="hermitian")
    refuses(ValueError, "unknown which 'XX': choose from LM, SM, LA, SA, BE", eigsh, S, 2, "XX")
    for k in (0, 6):
        refuses(ValueError, f"finds 1 to 5 eigenvalues of a matrix of side 5, not k = {k}", eigsh, S, k)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("packed", [True, False])
def test_numbers_that_are_not_finite_are_named(bad, packed):
    full = cases.matrix("float64", "symmetric", 40)
    full[7, 3] = full[3, 7] = bad
    S = vech.SparseHalf(*reference.csr(full, "upper"), 40, triangle="upper")
    S = S.to_packed("lapack-upper") if packed else S
    for name, task in (("eigsh", lambda S: eigsh(S, 1)), ("lobpcg", lambda S: lobpcg(S, np.ones((40, 1))))):
        place = r"S\[(3, 7|7, 3)\]"
        with pytest.raises(ValueError, match=f"{place} is {bad}: {name} needs finite numbers"):
            task(S)


@cases.each("shape", [(3,), (4, 1), (3, 0), (3, 4), (3, 1, 1)])
def test_a_start_is_columns_of_the_side(shape):
    message = f"X has shape {shape}, but S is of side 3: (3, k) with k from 1 to 3"
    refuses(ValueError, message, lobpcg, vech.Packed(TRIDIAGONAL), np.ones(shape))


def test_a_start_is_of_finite_numbers():
    S = vech.Packed(TRIDIAGONAL)
    refuses(ValueError, "X[1, 0] is nan: lobpcg needs finite", lobpcg, S, np.array([[0], [np.nan], [0]]))
    refuses(TypeError, "X has dtype timedelta64[s], with which LAPACK", lobpcg, S, np.ones((3, 1), "m8[s]"))
    empty = vech.Packed(np.zeros(0))
    refuses(ValueError, "X has shape (0, 1), but S is of side 0", lobpcg, empty, np.ones((0, 1)))
    for n in (1, 3):
        S = vech.Packed(np.arange(1.0, n * (n + 1) // 2 + 1))
        with pytest.warns(UserWarning, match="lobpcg expands S where X has more than n / 5 columns, as"):
            values, _ = lobpcg(S, [[1.0]] * n)
        assert values == pytest.approx(np.linalg.eigvalsh(S.expand())[-1:])


def test_eigh_names_the_options_that_follow_from_the_half():
    S = vech.Packed(TRIDIAGONAL)
    message = "eigh takes no check_finite, lower, overwrite_a: vech expands S, checks it"
    refuses(TypeError, message, eigh, S, lower=False, overwrite_a=False, check_finite=True)
    refuses(TypeError, "eigh takes no lower: vech", eigh, S, lower=True)


@cases.each("ord", [np.array([1, 2]), True, np.True_, [1], -1, -np.inf, "2", np.nan])
def test_a_norm_that_is_none_is_refused(ord):
    message = f"unknown ord {ord!r}: choose from 'fro', 'max', 1, 2, inf"
    refuses(ValueError, message, norm, vech.Packed(TRIDIAGONAL), ord)


def test_no_ord_is_the_frobenius_norm():
    assert norm(vech.Packed(TRIDIAGONAL), None) == np.linalg.norm(vech.expand(TRIDIAGONAL), None) == 4


@pytest.mark.parametrize("dtype", ["m8[s]", "M8[D]"])
def test_dates_have_no_norm_and_no_inner_product(dtype):
    dates, S = vech.Packed(np.ones(6, dtype)), vech.Packed(TRIDIAGONAL)
    for ord in (None, "max", 2):
        message = f"a norm is of numbers, and S holds {dates.dtype}: astype(float) first"
        refuses(TypeError, message, norm, dates, ord)
    refuses(TypeError, f"an inner product is of numbers, and S holds {dates.dtype}", inner, dates, S)
    refuses(TypeError, f"an inner product is of numbers, and T holds {dates.dtype}", inner, S, dates)


@cases.each("scale", [1e-310, 1e-200, 1e-30, 1e30, 1e200, 1e306])
@cases.each(
    ("dtype", "kind"),
    [("float64", "symmetric"), ("float64", "skew"), *(("complex128", kind) for kind in cases.STORE_KINDS)],
)
def test_the_two_norm_is_right_at_every_scale(dtype, kind, scale):
    _, full = store(np.dtype(dtype), vech.Layout(), kind, 70)
    want = np.linalg.norm(full, 2)
    S = vech.Packed(vech.pack(full, kind=kind) * scale, kind=kind)
    assert norm(S, 2) / scale == pytest.approx(want, rel=1e-10)


def test_the_two_norm_in_single_precision_reaches_its_ends():
    S, full = store(np.dtype("float32"), vech.Layout(), "symmetric", 70)
    for scale in (2.0**-120, 2.0**120):
        assert norm(S * np.float32(scale), 2) == pytest.approx(scale * np.linalg.norm(full, 2), rel=1e-5)


@cases.each(
    "task",
    [
        eigsh,
        eigh,
        solve,
        inverse,
        slogdet,
        cond,
        covariance_of_vech,
        shrink_to_psd,
        nearest_psd,
        nearest_correlation,
    ],
)
def test_what_may_expand_says_so_first(task):
    assert "xpand" in task.__doc__.splitlines()[0]


def test_eigenvalues_beyond_the_dtype_are_an_overflow():
    small = vech.Packed.from_full(np.diag([1.0, 2, 3, 4]))
    full = np.full(40 * 41 // 2, 1.7e308)
    singles = vech.Packed(np.full(40 * 41 // 2, np.float32(3e38)))
    for dtype, call in (
        ("float64", lambda: eigsh(small, 2, M=np.eye(4) * 5e-324)),
        ("float64", lambda: eigsh(small, 2, M=np.eye(4) * 1e-310, sigma=0.5)),
        ("float64", lambda: eigsh(vech.Packed(full), 1)),
        ("float64", lambda: eigh(vech.Packed(full))),
        ("float64", lambda: eigh(vech.Packed(full), eigvals_only=True)),
        ("float64", lambda: vech.linalg.top(vech.Packed(full), 1)),
        ("float64", lambda: vech.linalg.lobpcg(vech.Packed(full), np.ones((40, 1)))),
        ("float32", lambda: eigsh(singles, 1)),
        ("float32", lambda: eigh(singles)),
    ):
        refuses(OverflowError, f"an eigenvalue is beyond {dtype}: scale the matrix by a number first", call)
    message = "sigma = 1e+300 times M has numbers beyond float64: scale M by a number first"
    refuses(OverflowError, message, eigsh, small, 2, M=np.eye(4) * 1e300, sigma=1e300)


def test_units_whose_product_overflows_take_nothing_from_eigenvalues_that_do_not():
    numbers, weights = vech.Packed.from_full(np.diag([1.0, 2, 3, 4]) * 1e300), np.eye(4) * 1e300
    np.testing.assert_allclose(eigsh(numbers, 2, M=weights)[0], [3, 4], rtol=1e-12)
    np.testing.assert_allclose(eigsh(numbers, 2, M=weights, sigma=1.2)[0], [1, 2], rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_norms_beyond_float64_are_infinite(tmp_path):
    store = vech.Packed(np.full(10, 1.7e308))
    tiled = vech.tiled.create(tmp_path / "T.zarr", 4, tile=2)
    tiled.fill(lambda rows, cols: store.block(rows, cols))
    for S in (store, vech.SparseHalf.from_half(store.half), tiled):
        assert norm(S) == norm(S, 1) == norm(S, 2) == np.inf and norm(S, "max") == 1.7e308
    single = vech.Packed(np.full(10, 3e38, np.float32))
    for S in (single, vech.SparseHalf.from_half(single.half)):
        for order in ("fro", 1, 2):
            assert norm(S, order) == pytest.approx(12e38, rel=1e-6)
