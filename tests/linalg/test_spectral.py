"""Eigenvalues, norms and inner products of halves, against NumPy on the full matrix."""

import numpy as np
import pytest

import cases
import reference
import vech
from vech.linalg import eigh, eigsh, inner, lobpcg, norm

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


@pytest.mark.parametrize(("layout", "dtype", "kind", "n"), EVERY)
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


@pytest.mark.parametrize(("layout", "dtype", "kind", "n"), EVERY)
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


@pytest.mark.parametrize("layout", [vech.Layout(), vech.Layout("upper", "rows"), cases.RFP["lapack-rfp-tu"]])
@pytest.mark.parametrize(("dtype", "kind"), SELFADJOINT)
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
    for task in (eigh, norm, lambda S: inner(S, S), lambda S: eigsh(S, 1, sigma=0)):
        with pytest.raises(TypeError, match=r"takes a Packed store, not SparseHalf: .*\(S.to_packed\(\)\)"):
            task(S)


def test_wrong_questions_are_refused():
    S = vech.Packed(np.arange(6.0))
    with pytest.raises(
        ValueError, match="eigsh finds 1 to n - 1 of n eigenvalues, not k = 6 of 3: eigh finds"
    ):
        eigsh(S)
    with pytest.raises(ValueError, match="unknown ord 'nuc': choose from 'fro', 'max', 1, 2, inf"):
        norm(S, "nuc")
    with pytest.raises(ValueError, match="S is of side 3 and T of side 2: an inner product needs one side"):
        inner(S, vech.Packed(np.arange(3.0)))
    for kind, name in (("symmetric", "complex symmetric"), ("skew-hermitian", "skew-hermitian")):
        Z = vech.Packed(np.arange(6) * 1j, kind=kind)
        for task in (eigh, lambda Z: eigsh(Z, 1), lambda Z: lobpcg(Z, np.ones((3, 1)))):
            with pytest.raises(TypeError, match=f"real symmetric or a Hermitian matrix, not a {name} one"):
                task(Z)
    for task in (eigh, lambda S: norm(S, 2)):
        with pytest.raises(ValueError, match=r"S\[1, 0\] is nan: factors need finite numbers"):
            task(vech.Packed(np.array([1, np.nan, 1])))
