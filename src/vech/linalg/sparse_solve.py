"""Solutions and determinants of a sparse half: through the best direct solver there is, or step by step."""

from typing import Any, cast

import numpy as np

from vech.arrays import Array, Dtype, as_array
from vech.foreign import judged_options
from vech.layout import one_of
from vech.linalg.checks import check_finite, is_selfadjoint, work_dtype
from vech.linalg.factor import SignLogdet, check_rows, columns, product, sign_logdet
from vech.linalg.sparse_norms import norm
from vech.sparse import SparseHalf
from vech.sparse.consumers import HERMITIAN, REAL, kind_of

DIRECT = ("cholmod", "pardiso", "qdldl", "superlu")
DETERMINANT = ("cholmod", "qdldl", "superlu")  # those that tell their pivots
ITERATIVE = ("cg", "minres")
SOLVERS = ("auto", *DIRECT, *ITERATIVE)
EPSILON = float(np.finfo(np.float64).eps)
NO_DIGIT = 0.01  # a residual of this share of the right side leaves no correct digit in a solution


def solve(S: SparseHalf, b: Any, solver: str, options: dict[str, Any], threads: int | None) -> Array:
    """`vech.linalg.solve` of a sparse half."""
    one_of("solver", solver, SOLVERS)
    if options and solver not in ITERATIVE:
        raise TypeError(
            f"solver={solver!r} takes no {', '.join(options)}: they are options of SciPy's cg and minres, "
            f"so say solver='cg' or solver='minres'"
        )
    b = as_array(b, "b")
    check_rows(b, S.n)
    wide = np.result_type(work_dtype(S.dtype, "S"), work_dtype(b.dtype, "b"))
    if b.size == 0:
        return np.zeros(b.shape, wide)
    check_finite(S)
    if not np.isfinite(b).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(b))[0]))
        raise ValueError(f"b[{', '.join(map(str, at))}] is {b[at]}: solve needs finite numbers")
    if solver in ITERATIVE:
        _check_kind(S, solver, (REAL, HERMITIAN))
        x = _iterate(S, b, solver, options, wide, threads)
    else:
        x = SparseFactor(S, solver, threads).solve(b)
    return x.astype(wide, copy=False)


def slogdet(S: SparseHalf, threads: int | None) -> SignLogdet:
    """`vech.linalg.slogdet` of a sparse half."""
    work_dtype(S.dtype, "S")
    check_finite(S)
    if S.n == 0:
        return SignLogdet(1.0, 0.0)
    if S.kind == "skew" and S.n % 2:
        return SignLogdet(0.0, -np.inf)
    try:
        pivots = SparseFactor(S, threads=threads, among=DETERMINANT).pivots()
    except np.linalg.LinAlgError:
        return SignLogdet(0.0, -np.inf)
    return sign_logdet(*product(pivots), S)


class SparseFactor:
    """A factor of a sparse half that has been tried: what it solves, it solves to rounding.

    S is singular to working precision, for solutions and determinants alike, where no factor passes this trial: of
    S scaled to rows of size one, a right side of random signs is solved. A factor of a singular matrix, which
    rounding or a perturbed pivot may hide, leaves most of it or blows it up.
    """

    def __init__(
        self,
        S: SparseHalf,
        solver: str = "auto",
        threads: int | None = None,
        among: tuple[str, ...] = DIRECT,
    ) -> None:
        from vech.adapters import solvers

        self._S, self._threads = S, threads
        self.dtype: Dtype = np.result_type(work_dtype(S.dtype, "S"), np.float64)
        self._size = norm(S, 1)
        self._scale = _scale_of_rows(S, threads)
        if solver != "auto":
            _check_kind(S, solver, solvers.SOLVERS[solver].kinds)
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

    def solve(self, b: Any) -> Array:
        """The solution x of ``S x = b``; LinAlgError where its residual shows that it is none."""
        return columns(b, self._S.n, self.dtype, self._solve)

    def pivots(self) -> Array:
        """Numbers whose product is the determinant, of a factor `among` those that tell them."""
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
    """Solvers in turn, and whether each may take S to be definite, which saves SuperLU its search for pivots."""
    from vech.adapters.solvers import SOLVERS, installed

    definite = _may_be_definite(S)
    if solver == "auto":
        names = [name for name in among if kind_of(S) in SOLVERS[name].kinds and installed(name)]
        attempts = [(name, definite) for name in names if definite or name in ("pardiso", "superlu")]
    else:
        attempts = [(solver, definite and solver == "superlu")]
    return [*attempts, ("superlu", False)] if attempts[-1] == ("superlu", True) else attempts


def _may_be_definite(S: SparseHalf) -> bool:
    return is_selfadjoint(S) and bool((S.diagonal().real > 0).all())


def _check_kind(S: SparseHalf, solver: str, kinds: tuple[str, ...]) -> None:
    if (kind := kind_of(S)) not in kinds:
        raise TypeError(
            f"solver={solver!r} takes {' and '.join(kinds)} matrices, not a {kind} one: "
            f"solver='superlu' takes every kind"
        )


def _iterate(
    S: SparseHalf, b: Array, solver: str, options: dict[str, Any], wide: Dtype, threads: int | None
) -> Array:
    """Conjugate gradients or MINRES, one column after the other, in double precision."""
    from scipy.sparse import linalg

    dtype = np.result_type(wide, np.float64)
    embedded = solver == "minres" and dtype.kind == "c"  # SciPy's minres takes real inner products

    def multiply(x: Array) -> Array:
        x = x.view(dtype) if embedded else x
        y = S.matmul(x, threads=threads).astype(dtype, copy=False)
        return y.view(np.float64) if embedded else y

    n = 2 * S.n if embedded else S.n
    operator = linalg.LinearOperator((n, n), multiply, dtype=np.float64 if embedded else dtype)
    options = {"rtol": 1e-10 if wide.char in "dD" else 1e-6} | judged_options(options)
    if embedded and options.keys() & {"M", "x0"}:
        raise TypeError("minres takes no M and x0 for complex matrices: solver='cg' does")
    rights = b if b.ndim == 2 else b[:, None]
    x, matrix_size = np.empty(rights.shape, dtype), norm(S, 1)
    for k in range(x.shape[1]):
        right = np.ascontiguousarray(rights[:, k], dtype)
        with np.errstate(all="ignore"):  # a step that divides by zero is judged by what it leaves
            found, steps = getattr(linalg, solver)(operator, right.view(operator.dtype), **options)
            x[:, k] = found.view(dtype)
            left = float(np.linalg.norm(right - S.matmul(x[:, k], threads=threads)))
        size = float(np.linalg.norm(right))
        rounding = max(100, S.n) * EPSILON * (matrix_size * float(np.linalg.norm(x[:, k])) + size)
        if steps or not left <= max(100 * options["rtol"] * size, min(rounding, NO_DIGIT * size)):
            raise np.linalg.LinAlgError(_failure(solver, steps, left, size, options["rtol"]))
    return cast(Array, x if b.ndim == 2 else x[:, 0])


def _failure(solver: str, steps: int, left: float, size: float, rtol: float) -> str:
    """What an iteration has come to, and what may help."""
    stopped = f"{solver} stopped" + (f" after {steps} steps" if steps else "")
    if not np.isfinite(left):
        return (
            f"{stopped} where it had to divide by zero: cg is for positive definite matrices, minres for all, "
            f"and a direct solver tells a singular one"
        )
    share = f"{left / size:.1e} |b|" if size else f"{left:.1e}"
    return (
        f"{stopped} with a residual of {share}, and rtol={rtol:g} was asked for: give more steps (maxiter=) or "
        f"a preconditioner (M=), or take a direct solver"
        + ("; cg is for positive definite matrices, minres for all" if solver == "cg" else "")
    )
