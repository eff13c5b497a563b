"""docs/coming-from.md: every call of vech in it runs, and gives what the other library does, if here."""

import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import sklearn.cluster
import sklearn.covariance
import sklearn.metrics
from scipy.linalg import lapack
from scipy.spatial.distance import pdist, squareform

import vech

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
    "tensor": MATRIX[:3, :3],
    "six": RNG.standard_normal(6),
    "X": (DATA := RNG.standard_normal((20, N))),
    "frame": (FRAME := pandas.DataFrame(DATA, columns=list("abcd"))),
    "holed": FRAME.mask(RNG.random(FRAME.shape) < 0.3).assign(e=[1.0, *19 * [np.nan]]),
    "skc": sklearn.covariance,
    "skl": sklearn,
}


def rows():
    """(section, their call, the call of vech) of every row of every table."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = section.splitlines()
        for line in lines:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 3 and cells[1].startswith("`" if title.startswith("Stores") else "`vech."):
                yield title, cells[0].strip("`"), cells[1].strip("`")


ABOUT_STORES = [row for row in rows() if row[0].startswith("Stores")]
ROWS = [row for row in rows() if row not in ABOUT_STORES]


def test_every_library_has_its_calls():
    titles = " ".join(title for title, _, _ in ROWS)
    for library in (
        *("NumPy", "SciPy", "statsmodels", "PySCF", "nilearn", "pyRiemann", "geomstats", "CVXPY", "SCS"),
        *("Clarabel", "TensorFlow Probability", "PyTorch", "R", "Julia", "MATLAB", "Octave"),
        *("pandas", "scikit-learn", "skfolio", "DIPY", "nibabel"),
    ):
        assert library in titles
    assert len(ROWS) == len(re.findall(r"\| `vech\.[\w.]+\(", PAGE.read_text(encoding="utf-8"))) > 40


@pytest.mark.parametrize(("theirs", "ours"), [row[1:] for row in ROWS])
def test_a_call_runs(theirs, ours):
    result = eval(ours, NAMES)
    if ours.startswith("vech.covariance."):
        assert isinstance(result, vech.Packed)
        return
    assert isinstance(result, np.ndarray)
    assert result.ndim == (2 if ".expand(" in ours else 1)


@pytest.mark.parametrize(("theirs", "ours"), [row[1:] for row in ROWS if row[0] in ("NumPy", "SciPy")])
def test_a_call_gives_what_numpy_or_scipy_gives(theirs, ours):
    np.testing.assert_array_equal(eval(ours, NAMES), eval(theirs, NAMES))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [row[1:] for row in ROWS if row[0] == "pandas" or "skc." in row[1] or "skl." in row[1]],
)
def test_a_result_is_that_of_pandas_or_scikit_learn(theirs, ours):
    np.testing.assert_allclose(eval(ours, NAMES), eval(theirs, NAMES), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("theirs", "ours"), [row[1:] for row in ABOUT_STORES])
def test_a_store_gives_what_the_other_library_gives(theirs, ours):
    pandas = pytest.importorskip("pandas")
    full = MATRIX + 200 * np.eye(N)
    S = vech.Packed(vech.pack(full), labels="abcd")
    R, sd = vech.linalg.to_correlation(S)
    names = NAMES | {
        "S": S,
        "R": R,
        "sd": sd,
        "d": np.arange(1.0, N + 1),
        "full": full,
        "frame": S.to_frame(),
        "names": list("wxyz"),
    }
    names |= {"pandas": pandas}
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


def test_stores_are_compared():
    assert len(ABOUT_STORES) >= 12


def test_layouts_that_are_named_exist():
    named = {name for _, _, ours in ROWS for name in re.findall(r'"([a-z]+-[a-z-]+)"', ours)}
    assert len(named) > 20
    assert named <= set(vech.DIALECTS)
