"""Sparse direct solvers of other packages, each as one class: it factors a sparse half, and solves."""

import os
import weakref
from typing import Protocol

import numpy as np

from vech.arrays import INT32_MAX, Array
from vech.sparse import SparseHalf
from vech.sparse.exports import CHOLMOD, COMPLEX, HERMITIAN, QDLDL, REAL


class UnfitError(Exception):
    """A factorization that ended early: not positive definite, or a pivot of zero where none is exchanged."""


class Solver(Protocol):
    """A factor of a sparse half, in float64 or complex128."""

    package: str
    kinds: tuple[str, ...]

    def __init__(self, S: SparseHalf, definite: bool) -> None:
        """Factor S, which may be positive definite if `definite`; UnfitError where that fails."""

    def solve(self, b: Array) -> Array:
        """The solution for the columns of b, shape (n, m), of the dtype that the factor has."""

    def pivots(self) -> Array | None:
        """Numbers whose product is the determinant; None where the package does not tell."""


class Cholmod:
    """``L L^H`` of SuiteSparse, in blocks of columns, of positive definite matrices."""

    package = "scikit-sparse"
    kinds = CHOLMOD.kinds

    def __init__(self, S: SparseHalf, definite: bool) -> None:
        from sksparse import cholmod

        try:
            # the other way, "simplicial", factors indefinite matrices too, and does not say so
            self._factor = cholmod.cholesky(S.to_cholmod(), mode="supernodal")
        except cholmod.CholmodNotPositiveDefiniteError as error:
            raise UnfitError("the matrix is not positive definite") from error
        except (MemoryError, cholmod.CholmodOutOfMemoryError) as error:
            raise _no_memory("CHOLMOD", S) from error
        except cholmod.CholmodError as error:
            raise UnfitError(f"CHOLMOD says {error}") from error

    def solve(self, b: Array) -> Array:
        return np.asarray(self._factor(b))

    def pivots(self) -> Array:
        return np.asarray(self._factor.D())


class Pardiso:
    """``L D L^T`` of MKL with pivots of one or two rows."""

    package = "pypardiso"
    kinds: tuple[str, ...] = (REAL,)  # MKL takes more, pypardiso does not

    def __init__(self, S: SparseHalf, definite: bool) -> None:
        from pypardiso import PyPardisoSolver
        from pypardiso.pardiso_wrapper import PyPardisoError

        self._matrix = S.to_pardiso()
        self._solver = PyPardisoSolver(mtype=-2)
        # Else each solver looks through all installed files for MKL again, for 0.3 s and more.
        os.environ.setdefault("PYPARDISO_MKL_RT", self._solver.libmkl._name)
        weakref.finalize(self, self._solver.free_memory, everything=True)
        try:
            self._solver.factorize(self._matrix)
        except PyPardisoError as error:
            code = int(getattr(error, "value", 0))
            if code == -2:
                raise _no_memory("PARDISO", S) from error
            raise UnfitError(_PARDISO.get(code, f"error {code} of PARDISO")) from error

    def solve(self, b: Array) -> Array:
        return np.asarray(self._solver.solve(self._matrix, b))

    def pivots(self) -> None:
        return None


class Qdldl:
    """``L D L^T`` of OSQP's solver, which exchanges no pivots: for definite and quasi-definite matrices."""

    package = "qdldl"
    kinds = QDLDL.kinds

    def __init__(self, S: SparseHalf, definite: bool) -> None:
        from qdldl import Solver

        try:
            self._solver = Solver(S.to_qdldl(), upper=True)
        except MemoryError as error:
            raise _no_memory("QDLDL", S) from error
        except RuntimeError as error:
            raise UnfitError("a pivot is zero") from error
        if definite and not np.all(self.pivots() > 0):
            raise UnfitError("the matrix is not positive definite")

    def solve(self, b: Array) -> Array:
        return np.stack([self._solver.solve(column) for column in b.T], axis=1)

    def pivots(self) -> Array:
        return np.asarray(self._solver.factors()[1])


class SuperLU:
    """SciPy's ``P L U Q`` of the full matrix: of every kind."""

    package = "scipy"
    kinds: tuple[str, ...] = (REAL, HERMITIAN, COMPLEX, "skew", "skew-hermitian")

    def __init__(self, S: SparseHalf, definite: bool) -> None:
        from scipy.sparse.linalg import splu

        if max(S.n, 2 * S.nnz) > INT32_MAX:
            raise OverflowError(f"SuperLU counts in 32 bits: n = {S.n} with {S.nnz} numbers stored is beyond")
        full = S.to_csc()
        full = full.astype(np.result_type(full.dtype, np.float64), copy=False)
        on = full.indices == np.repeat(np.arange(S.n), np.diff(full.indptr))
        full.data[on] = S.kind.settled(full.data[on])
        symmetric = {
            "diag_pivot_thresh": 0.0,
            "permc_spec": "MMD_AT_PLUS_A",
            "options": {"SymmetricMode": True},
        }
        try:
            self._factor = splu(full, **(symmetric if definite else {}))
        except MemoryError as error:
            raise _no_memory("SuperLU", S) from error
        except RuntimeError as error:  # SuperLU tells of memory in this way too
            if "singular" not in str(error):
                raise _no_memory("SuperLU", S) from error
            raise UnfitError("a pivot is zero") from error

    def solve(self, b: Array) -> Array:
        return np.asarray(self._factor.solve(b))

    def pivots(self) -> Array:
        signs = [_parity(self._factor.perm_r), _parity(self._factor.perm_c)]
        return np.concatenate((self._factor.L.diagonal(), self._factor.U.diagonal(), signs))

    def is_definite(self) -> bool:
        """Whether the factor, made for a definite matrix, shows it to be so: no exchanges, pivots above 0."""
        symmetric = np.array_equal(self._factor.perm_r, self._factor.perm_c)
        return bool(symmetric and (self._factor.U.diagonal().real > 0).all())


SOLVERS: dict[str, type[Solver]] = {
    "cholmod": Cholmod,
    "pardiso": Pardiso,
    "qdldl": Qdldl,
    "superlu": SuperLU,
}
"""The direct solvers, best first."""

_NEEDED = {"cholmod": ("sksparse.cholmod", "cholesky"), "pardiso": ("pypardiso", "PyPardisoSolver")}
_NEEDED |= {"qdldl": ("qdldl", "Solver"), "superlu": ("scipy.sparse.linalg", "splu")}


_PARDISO = {-4: "a pivot is zero", -7: "a diagonal is singular", -8: "it counts in 32 bits"}


def _no_memory(package: str, S: SparseHalf) -> MemoryError:
    """Of a factorization, whose fill is not known before; it says nothing of the matrix."""
    return MemoryError(
        f"{package} has no memory for the factor of a matrix of side {S.n} with {S.nnz} numbers stored, "
        f"which fills: solver='cg' or 'minres' needs some vectors only, and S.permute(order) may fill less"
    )


def installed(name: str) -> bool:
    """Whether the package of a solver is there, and has what is needed of it."""
    from importlib import import_module

    module, needed = _NEEDED[name]
    try:
        return hasattr(import_module(module), needed)
    except (ImportError, OSError):  # pypardiso without MKL
        return False


def _parity(permutation: Array) -> float:
    """1.0 of an even permutation, -1.0 of an odd one: n less its cycles are its exchanges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = permutation.size
    graph = coo_array((np.ones(n, bool), (np.arange(n), permutation)), shape=(n, n))
    cycles: int = connected_components(graph, directed=False, return_labels=False)
    return -1.0 if (n - cycles) % 2 else 1.0
