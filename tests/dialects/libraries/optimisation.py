"""Solvers of semidefinite programs, and the languages that speak to them."""

import numpy as np

from evidence import Evidence, asks, labelled, length, numbered

SIDES = (4, 5)


def somewhere(n):
    """A half outside the cone and its polar."""
    return np.random.default_rng(n).normal(size=length(n))


@asks("scs")
def scs():
    import scipy.sparse
    import scs

    for n in SIDES:
        half = somewhere(n)
        identity = scipy.sparse.eye(len(half), format="csc")
        program = {"P": identity, "A": -identity, "b": np.zeros(len(half)), "c": -half}
        solution = scs.SCS(program, {"s": [n]}, eps_abs=1e-12, eps_rel=1e-12, verbose=False).solve()
        yield Evidence("scs-psd", "projects", "symmetric", half, solution["x"], within=1e-9)


@asks("clarabel")
def clarabel():
    import clarabel
    import scipy.sparse

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    for n in SIDES:
        half = somewhere(n)
        identity = scipy.sparse.eye(len(half), format="csc")
        cones = [clarabel.PSDTriangleConeT(n)]
        program = (identity, -half, -identity, np.zeros(len(half)), cones, settings)
        solution = clarabel.DefaultSolver(*program).solve()
        yield Evidence("clarabel-psd", "projects", "symmetric", half, np.array(solution.x), within=1e-8)


@asks("cvxpy")
def cvxpy():
    import cvxpy
    from cvxpy.utilities.psd_utils import TriangleKind, psd_format_mat, tri_to_full

    for n in SIDES:
        for dtype in ("i4", "i8", "f4", "f8", "c8", "c16"):
            matrix = labelled(n, dtype, diagonal=0)
            half = cvxpy.upper_tri(cvxpy.Constant(matrix)).value.ravel()
            yield Evidence("cvxpy-upper-tri", "packs", "symmetric", matrix, half)
        for name, strict in (("cvxpy-upper-tri", True), ("cvxpy-vec-to-upper-tri", False)):
            for dtype in ("i4", "i8", "f4", "f8", "c8", "c16"):
                half = numbered(length(n - strict), dtype)
                triangle = cvxpy.vec_to_upper_tri(cvxpy.Constant(half), strict=strict).value
                if hasattr(triangle, "toarray"):
                    triangle = triangle.toarray()
                yield Evidence(name, "expands", "triangular", half, triangle)
        matrix = labelled(n, "f8", "symmetric")  # an unsymmetric one is averaged
        to_half = psd_format_mat(cvxpy.Variable((n, n)) >> 0, TriangleKind.LOWER, True)
        half = to_half @ matrix.ravel(order="F")
        yield Evidence("cvxpy-solver-svec", "packs", "symmetric", matrix, half)
        full = tri_to_full(half, n, TriangleKind.LOWER, True)
        yield Evidence("cvxpy-solver-svec", "expands", "symmetric", half, full)


@asks("cvxopt")
def cvxopt():
    from cvxopt import matrix, misc

    for n in SIDES:
        dims = {"l": 0, "q": [], "s": [n]}
        full, half = labelled(n), matrix(0.0, (length(n), 1))
        misc.pack(matrix(full.ravel(order="F")), half, dims)
        yield Evidence("cvxopt-pack", "packs", "symmetric", full, np.array(half).ravel())
        half, triangle = numbered(length(n)), matrix(0.0, (n * n, 1))
        misc.unpack(matrix(half), triangle, dims)
        yield Evidence(
            "cvxopt-pack", "expands", "triangular", half, np.array(triangle).reshape(n, n, order="F")
        )


@asks("PICOS")
def picos():
    import picos

    def half_of(expression):
        return np.array(expression.value).ravel()

    for n in SIDES:
        for dtype in ("f8", "c16"):
            matrix = labelled(n, dtype)
            kind = "hermitian" if dtype == "c16" else "symmetric"
            constant = picos.Constant("A", matrix)
            yield Evidence("picos-trilvec", "packs", kind, matrix, half_of(constant.trilvec))
            yield Evidence("picos-triuvec", "packs", kind, matrix, half_of(constant.triuvec))
            matrix = labelled(n, dtype, kind)
            svec = picos.Constant("A", matrix).svec
            yield Evidence("picos-svec", "packs", kind, matrix, half_of(svec))
        svec = picos.Constant("v", numbered(length(n)))
        yield Evidence("picos-svec", "expands", "symmetric", half_of(svec), np.array(svec.desvec.value))
        variable = picos.SkewSymmetricVariable("K", n)
        matrix = labelled(n, "f8", "skew")
        variable.value = matrix
        half = np.array(variable.internal_value).ravel()
        yield Evidence("picos-skew", "packs", "skew", matrix, half)
        variable.internal_value = half[::-1]
        yield Evidence("picos-skew", "expands", "skew", half[::-1], np.array(variable.value))
