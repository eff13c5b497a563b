"""Solutions and determinants of a sparse half: through the best direct solver there is, or step by step."""

from numbers import Real
from typing import Any, cast

import numpy as np

from vech import frames
from vech.arrays import Array, Dtype, as_array
from vech.layouts.kind import Kind
from vech.layouts.layout import as_integer, one_of
from vech.linalg.checks import check_finite, check_finite_array, is_selfadjoint, selfadjoint, work_dtype
from vech.linalg.factor import SignLogdet, check_rows, columns, product, sign_logdet
from vech.linalg.sparse_norms import norm
from vech.linalg.units import lift, scaled, times_power, unit_of
from vech.moves.foreign import judged_options
from vech.sparse import SparseHalf
from vech.sparse.exports import HERMITIAN, REAL, kind_of
from vech.store import common_labels

DIRECT = ("cholmod", "pardiso", "qdldl", "superlu")
DETERMINANT = ("cholmod", "qdldl", "superlu")  # those that tell their pivots
OPTIONS = {
    "cg": ("rtol", "atol", "maxiter", "M", "x0", "callback"),
    "minres": ("rtol", "shift", "maxiter", "M", "x0", "callback", "show", "check"),
}
SOLVERS = ("auto", *DIRECT, *OPTIONS)
SMALL = 20  # the exponent by which a right side is below S: SciPy's minres adds its square to that of S
EPSILON = float(np.finfo(np.float64).eps)
NO_DIGIT = 0.01  # a residual of this share of the right side leaves no correct digit in a solution


def solve(S: SparseHalf, b: Any, solver: str, options: dict[str, Any], threads: int | None) -> Array:
    """`vech.linalg.solve` of a sparse half."""
    one_of("solver", solver, SOLVERS)
    if options and solver not in OPTIONS:
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
    check_finite_array(b, "b", "solve")
    if solver in OPTIONS:
        _check_kind(S, solver, (REAL, HERMITIAN))
        x = _iterate(S, b, solver, options, wide, threads)
    else:
        x = SparseFactor(S, solver, threads).solve(b)
    with np.errstate(over="ignore"):
        x = x.astype(wide, copy=False)
    if not np.isfinite(x).all():
        raise OverflowError(f"x has numbers beyond {wide}: divide b by a number first")
    return x


def slogdet(S: SparseHalf, threads: int | None) -> SignLogdet:
    """`vech.linalg.slogdet` of a sparse half."""
    work_dtype(S.dtype, "S")
    check_finite(S)
    if S.n == 0:
        return SignLogdet(1.0, 0.0)
    if S.kind is Kind.SKEW and S.n % 2:
        return SignLogdet(0.0, -np.inf)
    try:
        factor = SparseFactor(S, threads=threads, among=DETERMINANT)
    except np.linalg.LinAlgError:
        return SignLogdet(0.0, -np.inf)
    sign, logarithm = product(factor.pivots())
    return sign_logdet(sign, logarithm - S.n * factor.exponent * float(np.log(2)), S)


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

        self.dtype: Dtype = np.result_type(work_dtype(S.dtype, "S"), np.float64)
        self.exponent, self._threads = 0, threads
        if np.dtype(S.dtype).kind in "fc" and (exponent := lift(S.data.astype(self.dtype))):
            self.exponent = exponent
            S = S._like(times_power(S.data.astype(self.dtype), exponent))
        self._S = S
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
        return columns(b, self._S.n, self.dtype, self._in_unit)

    def pivots(self) -> Array:
        """Numbers whose product is the determinant of S times two to the `exponent`, of a factor that tells them."""
        return cast(Array, self._factor.pivots())

    def _serves(self, factor: Any, signs: Array) -> bool:
        scale = self._scale[:, None]
        with np.errstate(all="ignore"):
            x = factor.solve(signs / scale)
            residual = np.abs(signs - scale * self._S.matmul(x, threads=self._threads)).max(initial=0)
            return bool(residual < NO_DIGIT and np.abs(x / scale).max(initial=0) < 1 / EPSILON)

    def _in_unit(self, b: Array) -> Array:
        """The solution by way of a right side of the size of S, so that it is neither huge nor tiny on the way."""
        size = min(900, round(np.log2(unit_of(self._S))))
        exponents = size - np.frexp(np.abs(b).max(axis=0, initial=0))[1]
        return times_power(self._solve(times_power(b, exponents)), self.exponent - exponents)

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
    """Conjugate gradients or MINRES, one column after the other, in double precision.

    S and b are divided by a power of two each, for SciPy compares numbers of theirs with eps.
    """
    from scipy.sparse import linalg

    dtype = np.result_type(wide, np.float64)
    embedded = solver == "minres" and dtype.kind == "c"  # SciPy's minres takes real inner products
    if embedded and options.keys() & {"M", "x0"}:
        raise TypeError("minres takes no M and x0 for complex matrices: solver='cg' does")
    options = {"rtol": 1e-10 if wide.char in "dD" else 1e-6} | _checked_options(
        S, solver, judged_options(options), dtype
    )
    unit = unit_of(S)
    multiply = scaled(S, dtype, unit)

    def apply(x: Array) -> Array:
        return multiply(x.view(dtype)).view(np.float64) if embedded else multiply(x)

    n = 2 * S.n if embedded else S.n
    operator = linalg.LinearOperator((n, n), apply, dtype=np.float64 if embedded else dtype)
    rights = b if b.ndim == 2 else b[:, None]
    x, matrix_size = np.empty(rights.shape, dtype), norm(S, 1) / unit
    for k in range(x.shape[1]):
        right = np.ascontiguousarray(rights[:, k], dtype)
        exponent = int(np.frexp(np.abs(right).max(initial=0))[1]) + SMALL
        right, change = times_power(right, -exponent), exponent - round(np.log2(unit))
        chosen = _in_units(options, right, unit, exponent, change)
        with np.errstate(all="ignore"):  # a step that divides by zero is judged by what it leaves
            try:
                found, steps = getattr(linalg, solver)(operator, right.view(operator.dtype), **chosen)
            except ValueError as error:  # of minres, whose sums of squares show it
                what = (
                    "M is not positive definite"
                    if "preconditioner" in str(error)
                    else "S or M is not symmetric"
                )
                raise np.linalg.LinAlgError(f"{solver} stopped: {what}, to rounding") from error
            found = found.view(dtype)
            left = float(np.linalg.norm(right - multiply(found) + chosen.get("shift", 0) * found))
        size = float(np.linalg.norm(right))
        rounding = max(100, S.n) * EPSILON * (matrix_size * float(np.linalg.norm(found)) + size)
        if steps or not left <= max(100 * chosen["rtol"] * size, min(rounding, NO_DIGIT * size)):
            raise np.linalg.LinAlgError(_failure(solver, steps, left, size, chosen["rtol"]))
        x[:, k] = times_power(found, change)
    return cast(Array, x if b.ndim == 2 else x[:, 0])


def _checked_options(S: SparseHalf, solver: str, given: dict[str, Any], dtype: Dtype) -> dict[str, Any]:
    """SciPy's options, judged as S and b are."""
    from scipy.sparse import issparse
    from scipy.sparse.linalg import aslinearoperator

    if unknown := sorted(given.keys() - OPTIONS[solver]):
        raise TypeError(
            f"solver={solver!r} takes no {', '.join(unknown)}: its options are {', '.join(OPTIONS[solver])}"
        )
    options = {name: value for name, value in given.items() if value is not None}
    for name in options.keys() & {"rtol", "atol", "shift"}:
        value = options[name]
        if not isinstance(value, Real) or not np.isfinite(float(value)) or (name != "shift" and value < 0):
            raise ValueError(
                f"{name} must be a finite number{'' if name == 'shift' else ' from 0 on'}, not {value!r}"
            )
    if "maxiter" in options and (most := as_integer("maxiter", options["maxiter"])) < 1:
        raise ValueError(f"maxiter must be at least 1, not {most}")
    if "x0" in options:
        frames.check_along(options["x0"], 0, S.labels, "x0")
        x0 = as_array(options["x0"], "x0")
        if x0.shape != (S.n,):
            raise ValueError(
                f"x0 has shape {x0.shape}, but S is of side {S.n}: ({S.n},), one start for all columns"
            )
        if work_dtype(x0.dtype, "x0").kind == "c" and dtype.kind != "c":
            raise TypeError("x0 is complex, and S and b are real: take its real part")
        check_finite_array(x0, "x0", solver)
        options["x0"] = x0.astype(dtype)
    if "callback" in options and not callable(options["callback"]):
        raise TypeError(f"callback must be a function of x, not {options['callback']!r}")
    if "M" in options:
        M = options["M"]
        if not (operates := hasattr(M, "matvec")) and not issparse(M):
            labels, M = frames.square_labels(M, "M"), as_array(M, "M")
            if len(M) == S.n:
                common_labels(S.labels, labels)
        if M.shape != S.shape:
            raise ValueError(
                f"M has shape {M.shape}, but S is of side {S.n}: a preconditioner is as large as S"
            )
        if not operates:
            check_finite(selfadjoint(M, "M"), "M", f"{solver} needs")
        options["M"] = aslinearoperator(M)
    return options


def _in_units(
    options: dict[str, Any], right: Array, unit: float, exponent: int, change: int
) -> dict[str, Any]:
    """The options for a matrix over `unit`, a right side over 2^exponent and a solution over 2^change."""
    from scipy.sparse.linalg import LinearOperator

    options = dict(options)
    if "x0" in options:
        options["x0"] = times_power(options["x0"], -change)
    if "callback" in options:
        callback = options["callback"]
        options["callback"] = lambda x: callback(times_power(x, change))
    if "atol" in options:
        options["atol"] = float(times_power(np.array(options["atol"], float), -exponent))
    if "shift" in options:
        options["shift"] = float(options["shift"]) / unit
    if "M" in options:  # of any unit: it shall leave the right side as large as it is
        M = options["M"]
        after, before = (int(np.frexp(np.abs(x).max(initial=0))[1]) for x in (M.matvec(right), right))
        size = after - before
        options["M"] = LinearOperator(M.shape, lambda x: times_power(M.matvec(x), -size), dtype=right.dtype)
    return options


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
