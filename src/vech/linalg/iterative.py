"""Solutions of any store step by step: conjugate gradients and MINRES, by SciPy."""

from reprlib import repr as short
from typing import Any, cast

import numpy as np

from vech import frames
from vech.arrays import Array, Dtype, as_array, is_finite, is_real
from vech.layouts.layout import as_integer
from vech.linalg.checks import (
    check_finite,
    check_finite_array,
    check_selfadjoint,
    is_sparse,
    selfadjoint,
    work_dtype,
)
from vech.linalg.factor.sparse import EPSILON, NO_DIGIT, check_kind
from vech.linalg.norms import norm
from vech.linalg.units import scaled, times_power, unit_of
from vech.moves.foreign import judged_options
from vech.sparse.exports import HERMITIAN, REAL
from vech.store import Store, common_labels

OPTIONS = {
    "cg": ("rtol", "atol", "maxiter", "M", "x0", "callback"),
    "minres": ("rtol", "shift", "maxiter", "M", "x0", "callback", "show", "check"),
}
SMALL = 20  # the exponent by which a right side is below S: SciPy's minres adds its square to that of S


def iterated(
    S: Store, b: Array, solver: str, options: dict[str, Any], wide: Dtype, threads: int | None
) -> Array:
    """Conjugate gradients or MINRES, one column after the other, in double precision.

    S and b are divided by a power of two each, for SciPy compares numbers of theirs with eps.
    """
    from scipy.sparse import linalg

    if is_sparse(S):
        check_kind(S, solver, (REAL, HERMITIAN))
    check_selfadjoint(S, f"solver={solver!r}", "without solver= every kind is solved")
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


def _checked_options(S: Store, solver: str, given: dict[str, Any], dtype: Dtype) -> dict[str, Any]:
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
        if not is_real(value) or not is_finite(value) or (name != "shift" and value < 0):
            raise ValueError(
                f"{name} must be a finite number{'' if name == 'shift' else ' from 0 on'}, not {short(value)}"
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
            f"{stopped} where it had to divide by zero: cg is for positive definite matrices, "
            f"minres for all, and a direct solver tells a singular one"
        )
    share = f"{left / size:.1e} |b|" if size else f"{left:.1e}"
    return (
        f"{stopped} with a residual of {share}, and rtol={rtol:g} was asked for: "
        f"give more steps (maxiter=) or a preconditioner (M=), or take a direct solver"
        + ("; cg is for positive definite matrices, minres for all" if solver == "cg" else "")
    )
