"""docs/coming-from.md: every call of vech in it runs, and gives what the other library does.

The other library is asked where it is here. Numbers of R, Julia, MATLAB and Octave are typed, in TYPED;
what few have installed is written out in NumPy, in WRITTEN.
"""

import importlib
import itertools
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import scipy.linalg
import scipy.sparse.linalg
import sklearn.cluster
import sklearn.covariance
import sklearn.metrics
import sklearn.neighbors
from scipy import stats
from scipy.cluster import hierarchy
from scipy.linalg import lapack
from scipy.spatial.distance import cdist, pdist, squareform

import vech
import vech.pairwise

PAGE = Path(__file__).parent.parent / "docs" / "coming-from.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not beside the tests")

RNG = np.random.default_rng(0)
N = 4
SQUARE = RNG.integers(1, 100, (N, N)).astype(float)
MATRIX = SQUARE + SQUARE.T
NAMES = {
    "np": np,
    "vech": vech,
    "squareform": squareform,
    "pdist": pdist,
    "lapack": lapack,
    "n": N,
    "half": RNG.standard_normal(10),  # n = 4 with a diagonal, 5 without
    "zhalf": RNG.standard_normal(10) + 1j * RNG.standard_normal(10),
    "matrix": MATRIX,
    "lower": np.tril(SQUARE),
    "skew": SQUARE - SQUARE.T,
    "distances": MATRIX - np.diag(np.diag(MATRIX)),
    "correlation": MATRIX - np.diag(np.diag(MATRIX)) + np.eye(N),
    "tensor": MATRIX[:3, :3] / 100,
    "six": RNG.standard_normal(6),
    "X": (DATA := RNG.standard_normal((20, N))),
    "frame": (FRAME := pandas.DataFrame(DATA, columns=list("abcd"))),
    "holed": FRAME.mask(RNG.random(FRAME.shape) < 0.3).assign(e=[1.0, *19 * [np.nan]]),
    "skc": sklearn.covariance,
    "skl": sklearn,
    "full": MATRIX + 200 * np.eye(N),
    "b": np.arange(1.0, N + 1),
    "cdist": cdist,
    "stats": stats,
    "hierarchy": hierarchy,
    "linalg": scipy.linalg,
    "sparse": scipy.sparse,
}

# ---------------------------------------------------------------- what the libraries that are not here print

R_MATRIX = np.array([[4.0, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 1], [2, 0, 1, 6]])
POINTS = np.array([[1.0, 2, 0], [2, 4, 1], [3, 1, 4], [5, 3, 2], [8, 9, 5]])
OCTAVE = np.array([[1.0, 4, 7], [4, 5, 8], [7, 8, 9]])
CORNERS = np.array([[0.0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]])
MOI = np.array([[1.0, 2, 4], [2, 3, 5], [4, 5, 6]])


def of_points():
    D = vech.pairwise.distances(POINTS)
    mixed = pandas.DataFrame({"a": [1, 2, np.nan, 4], "b": ["u", "v", "u", "u"]})
    return {"X": POINTS, "D": D, "Z": vech.cluster.linkage(D), "groups": [1, 1, 1, 2, 2], "mixed": mixed}


SECTIONS = {
    "R": {
        **of_points(),
        "matrix": R_MATRIX,
        "distances": R_MATRIX - np.diag(np.diag(R_MATRIX)),
        "half": np.arange(1.0, 11),
        "indefinite": np.array([[1, 0.9, 0.2], [0.9, 1, 0.9], [0.2, 0.9, 1]]),
    },
    "Julia": {
        **of_points(),
        "matrix": MOI,
        "half": np.arange(1.0, 7),
        "definite": np.array([[4.0, 12, -16], [12, 37, -43], [-16, -43, 98]]),
    },
    "MATLAB, Octave": {
        "matrix": OCTAVE,
        "half": np.arange(1.0, 7),
        "distances": CORNERS,
        "X": np.array([[5.0, 0, 3, 7], [1, -5, 7, 3], [4, 9, 8, 10]]),
    },
}
"""Names in these sections, for which TYPED has the numbers."""

SYMMETRIC_4 = [[1, 2, 3, 4], [2, 5, 6, 7], [3, 6, 8, 9], [4, 7, 9, 10]]
DIST_5 = [[0, 1, 2, 3, 4], [1, 0, 5, 6, 7], [2, 5, 0, 8, 9], [3, 6, 8, 0, 10], [4, 7, 9, 10, 0]]
COLUMNS_5 = [4, 1, 0, 2, 3, -2, 0, 5, 1, 6]
COV = [7.7, 6.95, 4.6, 9.7, 3.35, 4.3]
COR = [1, 0.8041805683, 0.7994259493, 1, 0.5187101092, 1]
DIST = [
    *(2.449489743, 4.582575695, 4.582575695, 11.090536506, 4.358898944),
    *(3.316624790, 8.774964387, 3.464101615, 9.486832981, 7.348469228),
]

TYPED = {
    # R 4.2.2, Matrix 1.5, cluster 2.1, vegan 2.6, of the points and the matrix above; of packages for vech
    # and of Matrix' classes what their documentation says
    "R": {
        "vech(A)": COLUMNS_5,
        "xpnd(v)": SYMMETRIC_4,
        "lav_matrix_vechr(A)": [4, 1, 3, 0, -2, 5, 2, 0, 1, 6],
        "vechs(A)": [1, 0, 2, -2, 0, 1],
        "as.matrix(d)": DIST_5,
        'new("dspMatrix", uplo = "U")': [[1, 2, 4, 7], [2, 3, 5, 8], [4, 5, 6, 9], [7, 8, 9, 10]],
        "A[lower.tri(A, diag = TRUE)]": COLUMNS_5,
        "cov(X)": COV,
        "cor(X)": COR,
        'cor(X, method = "spearman")': [1, 0.5, 0.9, 1, 0.3, 1],
        'cor(X, method = "kendall")': [1, 0.4, 0.8, 1, 0.2, 1],
        "cov2cor(A)": [1, 0.2886751346, 0, 0.4082482905, 1, -0.5163977795, 0, 1, 0.1825741858, 1],
        "solve(A, b)": [-0.4545454545, 1.5454545455, 1.0909090909, 0.6363636364],
        "solve(A)": [
            *(0.33689839572, -0.13368983957, -0.03208556150, -0.10695187166, 0.51336898396),
            *(0.20320855615, 0.01069518717, 0.28877005348, -0.03743315508, 0.20855614973),
        ],
        "determinant(A)$modulus": 5.231108617,
        "eigen(A)$values": [7.541381265, 6.302775638, 2.697224362, 1.458618735],
        "t(chol(A))": [
            *(2, 0.5, 0, 1, 1.6583123952, -1.2060453783, -0.3015113446),
            *(1.8829377434, 0.3379631847, 2.1897195699),
        ],
        'norm(A, "F")': 10.29563014,
        "nearPD(R, corr = TRUE)$mat": [1, 0.7955106498, 0.2656743880, 1, 0.7955106498, 1],
        "dist(X)": DIST,
        'dist(X, "manhattan")': [4, 7, 7, 19, 7, 5, 15, 6, 14, 12],
        'dist(X, "minkowski", p = 3)': [
            *(2.154434690, 4.179339196, 4.179339196, 9.325532030, 3.802952461),
            *(3.072316826, 7.398636223, 2.884499141, 8.608752582, 6.463304070),
        ],
        'hclust(d, "average")$height': [2.449489743, 3.464101615, 4.210168781, 9.175200776],
        'hclust(d, "ward.D2")$height': [2.449489743, 3.464101615, 5.196152423, 11.340194002],
        "cutree(h, 2)": [1, 1, 1, 1, 2],
        "cophenetic(h)": [
            *(2.449489743, 4.210168781, 4.210168781, 9.175200776, 4.210168781),
            *(4.210168781, 9.175200776, 3.464101615, 9.175200776, 9.175200776),
        ],
        "cmdscale(d, eig = TRUE)$eig[1:2]": [71.93748080, 12.24746233],
        "silhouette(groups, d)[, 3]": [
            *(0.5513293501, 0.4369318552, 0.3095884646, -0.4845501493, 0.2489385076),
        ],
        "pam(d, 2)$id.med": [2, 5],
        'daisy(mixed, "gower")': [2 / 3, 0, 0.5, 1, 5 / 6, 0],
        "vegdist(X)": [
            *(0.4, 0.6363636364, 0.5384615385, 0.76, 0.4666666667),
            *(0.2941176471, 0.5172413793, 1 / 3, 0.4666666667, 0.375),
        ],
        "mantel(d, vegdist(X))$statistic": 0.5787121322,
    },
    # the documentation of MathOptInterface (sets) and LinearAlgebra (cholesky); formulas of the others
    "Julia": {
        "SymmetricPacked(A).tri": [1, 2, 3, 4, 5, 6],
        "triangle_vec(A)": [1, 2, 3, 4, 5, 6],
        "Scaled(PositiveSemidefiniteConeTriangle)": [1, 8**0.5, 3, 32**0.5, 50**0.5, 6],
        "SymmetricTensor": [[1, 2, 3], [2, 4, 5], [3, 5, 6]],
        "cholesky(A).L": [2, 6, -8, 1, 5, 3],
        "cov(X)": COV,
        "cor(X)": COR,
        "pairwise(Euclidean(), X; dims = 1)": DIST,
    },
    # the documentation of squareform and cov; the tests in Octave's vech.m and duplication_matrix.m
    "MATLAB, Octave": {
        "vech(A)": [1, 4, 7, 5, 8, 9],
        "A(tril(true(size(A))))": [1, 4, 7, 5, 8, 9],
        "squareform(v)": CORNERS,
        "squareform(Z)": [1, 2, 3, 4, 5, 6],
        "pdist(X)": [  # by its formula: there the documentation draws its points
            *(np.sqrt(16 + 25 + 16 + 16), np.sqrt(1 + 81 + 25 + 9), np.sqrt(9 + 196 + 1 + 49)),
        ],
        "cov(X)": [13 / 3, 53 / 6, -3, 17 / 3, 151 / 3, 6.5, 145 / 6, 7, 1, 37 / 3],
        "duplication_matrix(2)": [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
    },
}

# ---------------------------------------------------------------- the rows of the page


def rows():
    """(section, their call, the call of vech) of every row of every table."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = section.splitlines()
        for line in lines:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 3 and cells[1].startswith("`") and title != "What can be handed in":
                yield title, cells[0], cells[1].strip("`")


def by_section(*titles):
    return [(theirs.strip("`"), ours) for title, theirs, ours in rows() if title.startswith(titles)]


ABOUT_STORES = by_section("Stores")
ROWS = [(title, theirs.strip("`"), ours) for title, theirs, ours in rows() if not title.startswith("Stores")]


def test_every_library_has_its_calls():
    titles = " ".join(title for title, _, _ in ROWS)
    for library in (
        *("NumPy", "SciPy", "statsmodels", "PySCF", "nilearn", "pyRiemann", "geomstats", "CVXPY", "SCS"),
        *("Clarabel", "TensorFlow Probability", "PyTorch", "R", "Julia", "MATLAB", "Octave"),
        *("pandas", "scikit-learn", "scikit-bio", "skfolio", "DIPY", "nibabel"),
    ):
        assert library in titles
    assert len(ROWS) > 120 and len(ABOUT_STORES) >= 12


def dense(result):
    if isinstance(result, vech.Packed):
        return result.expand()
    return result.toarray() if scipy.sparse.issparse(result) else np.asarray(result)


def same(found, wanted, ours, rtol=1e-9):
    """Moves to the bit, what is computed to rounding."""
    if re.match(r"vech\.(pack|expand|convert)\(", ours):
        np.testing.assert_array_equal(dense(found), dense(wanted))
    else:
        np.testing.assert_allclose(dense(found), dense(wanted), rtol=rtol, atol=1e-12)


# ---------------------------------------------------------------- what few have installed, in NumPy

ROOT_2 = 2**0.5
LOWER, UPPER, STRICT = np.tril_indices(N), np.triu_indices(N), np.triu_indices(N, 1)


def placed(numbers, places, mirror=1):
    """A square with numbers at places, and what they are mirrored to; without `mirror` zeros."""
    n = 1 + max(max(index) for index in places)
    square = np.zeros((n, n), np.asarray(numbers).dtype)
    square[places] = numbers
    strict = square - np.diag(np.diag(square))
    return square if mirror is None else square + mirror * strict.T


def weighted(square, diagonal=1.0, others=1.0):
    """A square, its diagonal and all else times something."""
    return square * np.where(np.eye(len(square)), diagonal, others)


def gerber(X, of_pair):
    """Of moves by half a standard deviation: (same - opposite) / of_pair(moves, rows in which both move)."""
    deviations = X.std(axis=0)
    signs = np.sign(X) * (np.abs(X) >= 0.5 * deviations)
    moves = np.abs(signs)
    return signs.T @ signs / of_pair(moves.sum(axis=0), moves.T @ moves) * np.outer(deviations, deviations)


def by_columns(A, places):
    """What cones take: the triangle column by column, what is off the diagonal times the root of two."""
    return [A[i, j] * (1 if i == j else ROOT_2) for i, j in places]


LOWER_COLUMNS = [(i, j) for j in range(N) for i in range(j, N)]
UPPER_COLUMNS = [(i, j) for j in range(N) for i in range(j + 1)]
PLACES = tuple(np.array(LOWER_COLUMNS).T)


def spiral(v, *, upper=False):
    """The documentation of fill_triangular."""
    parts = [v, v[N:][::-1]] if upper else [v[N:], v[::-1]]
    return (np.triu if upper else np.tril)(np.concatenate(parts).reshape(N, N))


def unwound(L):
    at = spiral(np.arange(10)).astype(int)[LOWER]
    found = np.zeros(10)
    found[at] = L[LOWER]
    return found


v, z, A, K = NAMES["half"], NAMES["zhalf"], MATRIX, NAMES["skew"]
six, tensor, distances = NAMES["six"], NAMES["tensor"], NAMES["distances"]
APART = squareform(pdist(POINTS))
own = np.array([v[k] if i != j else 0 for k, (i, j) in enumerate(zip(*LOWER, strict=True))])
real = np.where(np.equal(*LOWER), z.real, z)
PART = {
    "lib.unpack_tril(z), complex": {"zhalf": real, "z": real},  # their diagonal is conjugated,
    "lib.unpack_tril(v, lib.ANTIHERMI)": {"half": own, "v": own},  # and negated
    "kmedoids.fasterpam(distances, 2).medoids": {"distances": APART},  # of which one pair is the best
}
"""Names of rows for which others would have several answers."""
SCALED = weighted(placed(v, PLACES), 1, 1 / ROOT_2)
SECOND = weighted(placed(v, LOWER), ROOT_2)

WRITTEN = {
    "PySCF": {
        "lib.pack_tril(A)": A[LOWER],
        "lib.unpack_tril(v)": placed(v, LOWER),
        "lib.unpack_tril(z), complex": np.tril(placed(real, LOWER))
        + np.tril(placed(real, LOWER), -1).conj().T,
        "lib.unpack_tril(v, lib.ANTIHERMI)": placed(own, LOWER, -1),
        "lib.unpack_row(v, 1)": placed(v, LOWER)[1],
    },
    "nilearn": {
        "sym_matrix_to_vec(A)": weighted(A, 1 / ROOT_2)[LOWER],
        "vec_to_sym_matrix(v)": SECOND,
        "sym_matrix_to_vec(A, discard_diagonal=True)": NAMES["correlation"][np.tril_indices(N, -1)],
        "vec_to_sym_matrix(v, diagonal=np.zeros(n))": placed(v, np.tril_indices(5, -1)),
        "to pyRiemann": weighted(SECOND, 1, ROOT_2)[UPPER],
    },
    "pyRiemann": {
        "upper(X)": weighted(A, 1, ROOT_2)[UPPER],
        "unupper(T)": weighted(placed(v, UPPER), 1, 1 / ROOT_2),
    },
    "geomstats": {
        "SymmetricMatrices(n).basis_representation(A)": A[UPPER],
        "SymmetricMatrices(n).matrix_representation(v)": placed(v, UPPER),
        "SkewSymmetricMatrices(n).basis_representation(K)": K[STRICT],
    },
    "DIPY, nibabel": {
        "lower_triangular(tensor)": tensor[[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]],
        "from_lower_triangular(six)": six[np.array([[0, 1, 3], [1, 2, 4], [3, 4, 5]])],
        'convert_tensors(D, "dipy", "mrtrix")': six[[0, 2, 5, 1, 3, 4]],
        'get_fdata() of intent "symmetric matrix"': six[np.array([[0, 1, 3], [1, 2, 4], [3, 4, 5]])],
    },
    "CVXPY, SCS, Clarabel": {
        "cp.upper_tri(A)": distances[STRICT],
        "cp.vec_to_upper_tri(v)": placed(v, UPPER, None),
        "cp.vec_to_upper_tri(v, strict=True)": placed(v, np.triu_indices(5, 1), None),
        "numbers for cone s of SCS": by_columns(A, LOWER_COLUMNS),
        "numbers for PSDTriangleConeT of Clarabel": by_columns(A, UPPER_COLUMNS),
        "a solution of SCS": SCALED,
        "from SCS to Clarabel": by_columns(SCALED, UPPER_COLUMNS),
    },
    "TensorFlow Probability": {
        "fill_triangular(v)": spiral(v),
        "fill_triangular(v, upper=True)": spiral(v, upper=True),
        "fill_triangular_inverse(L)": unwound(NAMES["lower"]),
        "of a symmetric matrix": unwound(A),
    },
    "scikit-learn, skfolio": {
        "GerberCovariance(psd_variant=True)": gerber(DATA, lambda n, both: np.add.outer(n, n) - both),
        "GerberCovariance(psd_variant=False)": gerber(DATA, lambda n, both: np.sqrt(np.outer(n, n))),
        "kmedoids.fasterpam(distances, 2).medoids": min(  # few enough to try all
            itertools.combinations(range(len(APART)), 2),
            key=lambda pair: APART[:, pair].min(axis=1).sum(),
        ),
    },
}


def written():
    for title, theirs, ours in ROWS:
        if (name := theirs.replace("`", "")) in WRITTEN.get(title, ()):
            yield title, name, ours


@pytest.mark.parametrize(("title", "theirs", "ours"), list(written()), ids=str)
def test_a_call_gives_what_is_written(title, theirs, ours):
    found = dense(eval(ours, NAMES | PART.get(theirs, {})))
    wanted = np.asarray(WRITTEN[title][theirs])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


HANDED = ("NumPy", "SciPy", "pandas", "scikit-learn", "scikit-bio", "statsmodels", "PyTorch", *SECTIONS)


def test_every_call_is_compared_with_something():
    there = [(title, theirs) for title, theirs, _ in written()]
    assert len(there) == sum(map(len, WRITTEN.values()))
    for title, theirs, _ in ROWS:
        assert title.startswith(HANDED) or (title, theirs.replace("`", "")) in there


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [row for row in by_section("PySCF", "CVXPY") if row[0].startswith(("lib.", "cp."))],
    ids=str,
)
def test_a_call_gives_what_pyscf_or_cvxpy_gives(theirs, ours):
    names = NAMES | PART.get(theirs.replace("`", ""), {})
    there = {"A": MATRIX, "v": names["half"], "z": names["zhalf"]} | names
    if theirs.startswith("lib."):
        there["lib"] = pytest.importorskip("pyscf.lib", reason="PySCF is not installed")
        wanted = eval(theirs.partition("`")[0], there)
    else:
        there["cp"] = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
        wanted = eval(theirs, there | {"A": names["distances"]}).value
        wanted = wanted.toarray() if scipy.sparse.issparse(wanted) else wanted
        wanted = wanted.ravel() if ours.startswith("vech.pack") else wanted  # which is a column there
    np.testing.assert_allclose(eval(ours, names), wanted, rtol=1e-15)


@pytest.mark.parametrize(("theirs", "ours"), by_section("NumPy", "SciPy", "pandas"), ids=str)
def test_a_call_gives_what_numpy_scipy_or_pandas_gives(theirs, ours):
    same(eval(ours, NAMES), eval(theirs, NAMES), ours)


@pytest.mark.parametrize(
    ("theirs", "ours"), [row for row in by_section("scikit-learn") if row[0].startswith("sk")], ids=str
)
def test_a_call_gives_what_scikit_learn_gives(theirs, ours):
    same(eval(ours, NAMES), eval(theirs, NAMES), ours)


@pytest.mark.parametrize(
    ("theirs", "ours"), [row for row in by_section("scikit-learn") if not row[0].startswith("sk")], ids=str
)
def test_a_call_gives_what_skfolio_or_kmedoids_gives(theirs, ours):
    names = NAMES | PART.get(theirs, {})
    if theirs.startswith("kmedoids"):
        kmedoids = pytest.importorskip("kmedoids", reason="kmedoids is not installed")
        wanted = np.sort(eval(theirs, names | {"kmedoids": kmedoids}))
    else:
        moments = pytest.importorskip("skfolio.moments", reason="skfolio is not installed")
        wanted = eval(theirs, vars(moments)).fit(DATA).covariance_
    same(eval(ours, names), wanted, ours)


@pytest.mark.parametrize(("theirs", "ours"), by_section("statsmodels"), ids=str)
def test_a_call_gives_what_statsmodels_gives(theirs, ours):
    tools = pytest.importorskip("statsmodels.tsa.tsatools")
    there = vars(tools) | {"A": MATRIX, "v": NAMES["half"], "n": N}
    same(eval(ours, NAMES), eval(theirs, there), ours)


@pytest.mark.parametrize(("theirs", "ours"), by_section("PyTorch"), ids=str)
def test_a_call_gives_what_torch_gives(theirs, ours):
    torch = pytest.importorskip("torch")
    importlib.import_module("vech.adapters.torch")
    moves = re.match(r"vech\.(pack|expand)", ours)
    there = vars(torch.distributions.utils) | {
        "torch": torch,
        "n": N,
        "x": torch.tensor(DATA),
        "A": torch.tensor(MATRIX if moves else NAMES["full"]),
        "L": torch.tensor(NAMES["lower"]),
        "v": torch.tensor(NAMES["half"]),
        "b": torch.tensor(NAMES["b"]),
        "h": torch.tensor(vech.pack(NAMES["full"])),
    }
    same(eval(ours, NAMES | {name: there[name] for name in "xbh"}), eval(theirs, there), ours)


@pytest.mark.parametrize(("theirs", "ours"), by_section("scikit-bio"), ids=str)
def test_a_call_gives_what_scikit_bio_gives(theirs, ours, tmp_path, monkeypatch):
    skbio = pytest.importorskip("skbio", reason="the extra skbio")
    from skbio.diversity import beta_diversity
    from skbio.stats.distance import mantel
    from skbio.stats.ordination import pcoa

    monkeypatch.chdir(tmp_path)
    dm, other = (skbio.DistanceMatrix(squareform(pdist(rows)), "abcd") for rows in (DATA[:4], POINTS[:4]))
    D, E = (vech.Packed.from_full(one.data, "condensed", labels="abcd") for one in (dm, other))
    vech.write("d.phy", D)
    there = {"DistanceMatrix": skbio.DistanceMatrix, "dm": dm, "other": other, "mantel": mantel, "pcoa": pcoa}
    there |= {
        "distances": dm.data,
        "beta_diversity": beta_diversity,
        "counts": np.arange(1, 13).reshape(4, 3),
    }
    found, wanted = eval(ours, there | {"vech": vech, "D": D, "E": E}), eval(theirs, there)
    wanted = wanted.data if isinstance(wanted, skbio.DistanceMatrix) else wanted
    wanted = squareform(wanted) if isinstance(found, vech.Packed) and np.ndim(wanted) == 1 else wanted
    same(found, wanted, ours)


def typed():
    for title in SECTIONS:
        for theirs, ours in by_section(title):
            yield title, theirs.partition("`")[0], ours


@pytest.mark.parametrize(("title", "theirs", "ours"), list(typed()), ids=str)
def test_a_call_gives_what_is_typed(title, theirs, ours):
    wanted = np.array(TYPED[title][theirs], float)
    found = eval(ours, NAMES | SECTIONS[title])
    if isinstance(found, vech.Packed):  # the typed ones are columns of the lower triangle
        found = found.half
    if scipy.sparse.issparse(found):
        found = found.toarray()
    np.testing.assert_allclose(found, wanted, rtol=2e-6 if "nearest" in ours else 1e-8, atol=1e-9)


def test_what_is_typed_is_on_the_page():
    there = {title: set() for title in SECTIONS}
    for title, theirs, _ in typed():
        there[title].add(theirs)
    assert there == {title: set(values) for title, values in TYPED.items()}


@pytest.mark.parametrize(("theirs", "ours"), ABOUT_STORES, ids=str)
def test_a_store_gives_what_the_other_library_gives(theirs, ours):
    full = NAMES["full"]
    S = vech.Packed(vech.pack(full), labels="abcd")
    R, sd = vech.linalg.to_correlation(S)
    names = NAMES | {
        "S": S,
        "R": R,
        "sd": sd,
        "d": np.arange(1.0, N + 1),
        "frame": S.to_frame(),
        "names": list("wxyz"),
        "pandas": pandas,
    }
    if "cov2corr" in theirs or "corr2cov" in theirs:
        tools = pytest.importorskip("statsmodels.stats.moment_helpers")
        names |= {"cov2corr": tools.cov2corr, "corr2cov": tools.corr2cov}
    if "pcorr" in theirs:  # of pingouin, which takes data
        inverse = np.linalg.inv(full)
        theirs = "2 * np.eye(4) - inverse / np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))"
        names["inverse"] = inverse
    result = eval(ours.rpartition(" = ")[2], names)
    result = result.R if ours.startswith("R, sd") else result
    np.testing.assert_allclose(np.asarray(result), np.asarray(eval(theirs, names)), rtol=1e-12)


def test_layouts_that_are_named_exist():
    named = {name for _, _, ours in ROWS for name in re.findall(r'"([a-z]+-[a-z-]+)"', ours)}
    assert len(named) > 20
    assert named <= set(vech.DIALECTS) | {"constant-correlation"}
