"""The factor of a sparse half, by the best direct solver there is."""

from typing import Any, cast

import numpy as np

from vech.arrays import Array, Dtype
from vech.linalg.checks import is_selfadjoint, work_dtype
from vech.linalg.sparse_norms import norm
from vech.linalg.units import lift, times_power, unit_of
from vech.sparse import SparseHalf
from vech.sparse.exports import kind_of

DIRECT = ("cholmod", "pardiso", "qdldl", "superlu")
DETERMINANT = ("cholmod", "qdldl", "superlu")  # those that tell their pivots
EPSILON = float(np.finfo(np.float64).eps)
NO_DIGIT = 0.01  # a residual of this share of the right side leaves no correct digit in a solution


class SparseFactor:
    """A `Factor` of a sparse half that has been tried: what it solves, it solves to rounding.

    S is singular to working precision, for solutions and determinants alike, where no factor passes this
    trial: of S scaled to rows of size one, a right side of random signs is solved. A factor of a singular
    matrix, which rounding or a perturbed pivot may hide, leaves most of it or blows it up.
    """

    singular = False

    def __init__(
        self,
        S: SparseHalf,
        solver: str = "auto",
        threads: int | None = None,
        among: tuple[str, ...] = DIRECT,
    ) -> None:
        from vech.adapters import solvers

        if S.kind.is_singular(S.n):
            raise np.linalg.LinAlgError(f"S is singular: it is skew, and its side {S.n} is odd")
        self.n = S.n
        self.dtype: Dtype = np.result_type(work_dtype(S.dtype, "S"), np.float64)
        self._threads, data = threads, S.data.astype(self.dtype)
        self.exponent = lift(data)
        if self.exponent:
            S = S._like(times_power(data, self.exponent))
        self._S = S
        self._size = norm(S, 1)
        self._scale = _scale_of_rows(S, threads)
        if solver != "auto":
            check_kind(S, solver, solvers.SOLVERS[solver].kinds)
            if not solvers.installed(solver):
                there = ", ".join(name for name in DIRECT if solvers.installed(name))
                raise ModuleNotFoundError(
                    f"solver={solver!r} needs the package {solvers.SOLVERS[solver].package}, which is not "
                    f"installed: pip install it, or choose from {there}"
                )
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (S.n, 1)).astype(self.dtype)
        faults = []
        for name, definite in _attempts(S, solver, among):
            try:
                factor = solvers.SOLVERS[name](S, definite)
            except solvers.UnfitError as unfit:
                faults.append(f"{name}: {unfit}")
                continue
            if self._serves(factor, signs):
                self.solver, self._factor = name, factor
                return
            faults.append(f"{name}: no digit of a solution is right")
        raise np.linalg.LinAlgError(
            f"S is singular to working precision, or has no such factor ({'; '.join(dict.fromkeys(faults))})"
            + ("" if solver in ("auto", "superlu") else ": solver='superlu' exchanges pivots")
        )

    def solve(self, b: Array) -> Array:
        """The solution by way of a right side of the size of A, so neither huge nor tiny on the way.

        LinAlgError where its residual shows that it is none.
        """
        size = min(900, round(np.log2(unit_of(self._S))))
        exponents = size - np.frexp(np.abs(b).max(axis=0, initial=0))[1]
        return times_power(self._solve(times_power(b, exponents)), -exponents)

    def pivots(self) -> Array:
        """Numbers whose product is the determinant of A, of a factor that tells them."""
        return cast(Array, self._factor.pivots())

    def _serves(self, factor: Any, signs: Array) -> bool:
        scale = self._scale[:, None]
        with np.errstate(all="ignore"):
            x = factor.solve(signs / scale)
            residual = np.abs(signs - scale * self._S.matmul(x, threads=self._threads)).max(initial=0)
            return bool(residual < NO_DIGIT and np.abs(x / scale).max(initial=0) < 1 / EPSILON)

    def _solve(self, b: Array) -> Array:
        x = self._factor.solve(b)
        for step in range(4):
            residual = b - self._S.matmul(x, threads=self._threads)
            with np.errstate(over="ignore"):  # beyond every number, so the residual is rounding
                scale = self._size * np.abs(x).max(axis=0) + np.abs(b).max(axis=0)
            error = float(np.max(np.abs(residual).max(axis=0) / np.where(scale == 0, 1, scale)))
            if error <= (4 if step < 3 else max(100, self._S.n)) * EPSILON:
                return x
            x = x + self._factor.solve(residual)
        raise np.linalg.LinAlgError(
            f"{self.solver} leaves a residual of {error:.1e} |S| |x|: solver='superlu' exchanges pivots"
        )


def shifted(S: SparseHalf, sigma: float) -> SparseHalf:
    """S - sigma I, in the precision of factors."""
    from scipy.sparse import eye_array

    dtype = np.result_type(work_dtype(S.dtype, "S"), np.float64)
    stored = S.to_csr(part=S.triangle).astype(dtype) - sigma * eye_array(S.n, dtype=dtype, format="csr")
    return SparseHalf(stored.indptr, stored.indices, stored.data, S.n, triangle=S.triangle, kind=S.kind)


def is_definite(S: SparseHalf) -> bool:
    """Whether S, self-adjoint, has a factor ``L D L^H`` without exchanges, D positive."""
    from vech.adapters import solvers

    if not _may_be_definite(S):
        return S.n == 0
    try:
        return solvers.SuperLU(S, True).is_definite()
    except solvers.UnfitError:
        return False


def _scale_of_rows(S: SparseHalf, threads: int | None) -> Array:
    """Numbers d > 0 by which rows and columns are multiplied to make all of about one size.

    A definite matrix gets a diagonal of ones, another one rows whose moduli add up to about one.
    """
    if _may_be_definite(S):
        return cast(Array, 1 / np.sqrt(S.diagonal().real.astype(np.float64)))
    if 2 * S.nnz < S.n:  # each number stored is in two rows at most
        raise np.linalg.LinAlgError(f"S is singular: {S.nnz} numbers stored leave rows of zeros among {S.n}")
    sizes = abs(S.astype(np.result_type(S.dtype, np.float64)))
    scale = np.full(S.n, 1 / np.sqrt(sizes.data.max(initial=0) or 1.0))
    for _ in range(3):
        sums = sizes.matmul(scale, threads=threads)
        if not sums.all():
            raise np.linalg.LinAlgError(f"S is singular: row {sums.argmin()} holds nothing but zeros")
        scale = np.sqrt(scale / sums)
    return scale


def _attempts(S: SparseHalf, solver: str, among: tuple[str, ...] = DIRECT) -> list[tuple[str, bool]]:
    """Solvers in turn, and whether each may take S to be definite, which saves SuperLU its pivoting."""
    from vech.adapters.solvers import SOLVERS, installed

    definite = _may_be_definite(S)
    if solver == "auto":
        names = [name for name in among if kind_of(S) in SOLVERS[name].kinds and installed(name)]
        attempts = [(name, definite) for name in names if definite or name in ("pardiso", "superlu")]
    else:
        attempts = [(solver, definite and solver == "superlu")]
    return [*attempts, ("superlu", False)] if attempts[-1] == ("superlu", True) else attempts


def _may_be_definite(S: SparseHalf) -> bool:
    return is_selfadjoint(S) and S.nnz >= S.n and bool((S.diagonal().real > 0).all())


def check_kind(S: SparseHalf, solver: str, kinds: tuple[str, ...]) -> None:
    """TypeError where a solver takes no matrices of this sort."""
    if (kind := kind_of(S)) not in kinds:
        raise TypeError(
            f"solver={solver!r} takes {' and '.join(kinds)} matrices, not a {kind} one: "
            f"solver='superlu' takes every kind"
        )
