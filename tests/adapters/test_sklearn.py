"""scikit-learn's estimators over halves: its own checks, its own estimators, and data that it ships."""

import importlib
import sys

import numpy as np
import pytest

import vech

pytest.importorskip("sklearn", reason="the adapter is for scikit-learn")

from sklearn import covariance as peers
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from vech.adapters.sklearn import OAS, GerberCovariance, LedoitWolf, SampleCovariance

ESTIMATORS = [SampleCovariance(), LedoitWolf(), OAS(), GerberCovariance()]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
X = load_wine().data


@parametrize_with_checks(
    [
        *ESTIMATORS,
        SampleCovariance(missing="pairwise"),
        LedoitWolf(target="constant-correlation"),
        LedoitWolf(missing="neutral", assume_centered=True),
        OAS(missing="neutral"),
    ]
)
def test_it_is_an_estimator_as_scikit_learn_checks_it(estimator, check):
    check(estimator)


PEERS = [
    (SampleCovariance(ddof=0), peers.EmpiricalCovariance()),
    (SampleCovariance(assume_centered=True), peers.EmpiricalCovariance(assume_centered=True)),
    (LedoitWolf(), peers.LedoitWolf()),
    (LedoitWolf(assume_centered=True), peers.LedoitWolf(assume_centered=True)),
    (OAS(), peers.OAS()),
    (OAS(assume_centered=True), peers.OAS(assume_centered=True)),
]


@pytest.mark.parametrize("ours, theirs", PEERS, ids=lambda e: type(e).__name__)
def test_it_equals_the_estimator_of_scikit_learn(ours, theirs):
    ours.fit(X), theirs.fit(X)
    np.testing.assert_allclose(np.asarray(ours.covariance_), theirs.covariance_, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(ours.location_, theirs.location_, rtol=1e-13)
    np.testing.assert_allclose(np.asarray(ours.precision_), theirs.precision_, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(ours.get_precision()), theirs.get_precision(), rtol=1e-6)
    np.testing.assert_allclose(ours.mahalanobis(X[:9]), theirs.mahalanobis(X[:9]), rtol=1e-8)
    assert ours.score(X[::3]) == pytest.approx(theirs.score(X[::3]), rel=1e-9)
    other = np.cov(X.T)
    for norm in ("frobenius", "spectral"):
        for scaling in (True, False):
            for squared in (True, False):
                wanted = theirs.error_norm(other, norm, scaling, squared)
                assert ours.error_norm(other, norm, scaling, squared) == pytest.approx(wanted, rel=1e-9)
    if hasattr(theirs, "shrinkage_"):
        assert ours.shrinkage_ == pytest.approx(theirs.shrinkage_, rel=1e-9)


@every_estimator
def test_the_covariance_is_the_store_that_the_function_gives(estimator):
    functions = {
        "SampleCovariance": vech.covariance.sample,
        "LedoitWolf": vech.covariance.ledoit_wolf,
        "OAS": vech.covariance.oas,
        "GerberCovariance": vech.covariance.gerber,
    }
    fitted = estimator.set_params(layout="numpy-tril").fit(X)
    assert isinstance(fitted.covariance_, vech.Packed) and fitted.covariance_.layout.name == "numpy-tril"
    np.testing.assert_array_equal(
        fitted.covariance_.half, functions[type(estimator).__name__](X, layout="numpy-tril").half
    )
    estimator.set_params(layout="vech")


@every_estimator
def test_names_of_columns_are_labels(estimator):
    pandas = pytest.importorskip("pandas", reason="names come with a data frame")
    frame = load_wine(as_frame=True).data
    assert isinstance(frame, pandas.DataFrame)
    assert estimator.fit(frame).covariance_.labels == tuple(frame.columns)
    assert estimator.fit(X).covariance_.labels is None


def test_a_precision_follows_a_second_fit():
    estimator = LedoitWolf().fit(X)
    first = estimator.precision_
    estimator.fit(load_breast_cancer().data)
    second = estimator.precision_
    assert (first.n, second.n) == (13, 30)
    np.testing.assert_allclose((second @ estimator.covariance_.expand()), np.eye(30), atol=1e-5)


def test_an_indefinite_covariance_may_be_repaired():
    few = X[:24] - X[:24].mean(axis=0)
    assert np.linalg.eigvalsh(np.asarray(GerberCovariance(form="gs0").fit(few).covariance_))[0] < 0
    for repair in ("nearest", "shrink"):
        found = GerberCovariance(form="gs0", repair=repair).fit(few).covariance_
        np.testing.assert_array_equal(found.half, vech.covariance.gerber(few, form="gs0", repair=repair).half)
        vech.linalg.cholesky(found)


def test_what_is_missing_may_be_counted():
    holed = X.copy()
    holed[3, 4] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        SampleCovariance().fit(holed)
    found = SampleCovariance(missing="pairwise").fit(holed)
    np.testing.assert_array_equal(
        found.covariance_.half, vech.covariance.sample(holed, missing="pairwise").half
    )
    np.testing.assert_allclose(found.location_, np.nanmean(holed, axis=0))
    filled = np.where(np.isnan(holed), np.nanmean(holed, axis=0), holed)
    for kind, peer in ((LedoitWolf, peers.LedoitWolf()), (OAS, peers.OAS())):
        found = kind(missing="neutral").fit(holed)
        np.testing.assert_allclose(found.covariance_, peer.fit(filled).covariance_, rtol=1e-9, atol=1e-12)
        with pytest.raises(
            ValueError, match="missing='pairwise' is not offered here: choose from 'raise', 'neu"
        ):
            kind(missing="pairwise").fit(holed)
    holed[:, 4] = np.nan
    for kind in (SampleCovariance, GerberCovariance, LedoitWolf, OAS):
        with pytest.raises(ValueError, match=r"^column 4 of X has no number that counts: drop it"):
            kind(missing="neutral").fit(holed)


@pytest.mark.parametrize("layout", ["vech", "svec-upper"])
def test_a_singular_covariance_has_a_pseudo_inverse(layout):
    data = np.random.default_rng(3).normal(size=(5, 9))
    ours, theirs = SampleCovariance(ddof=0, layout=layout).fit(data), peers.EmpiricalCovariance().fit(data)
    np.testing.assert_allclose(np.asarray(ours.precision_), theirs.precision_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.mahalanobis(data), theirs.mahalanobis(data), rtol=1e-9)
    assert ours.score(data) == -np.inf


def test_an_indefinite_covariance_has_a_pseudo_inverse():
    data = np.random.default_rng(3).normal(size=(9, 30))
    ours = GerberCovariance(1.2, form="gs0").fit(data)
    full = np.asarray(ours.covariance_)
    assert np.linalg.eigvalsh(full)[0] < 0
    np.testing.assert_allclose(
        np.asarray(ours.precision_), np.linalg.pinv(full, hermitian=True), rtol=1e-6, atol=1e-8
    )


def test_nothing_is_there_before_fit():
    with pytest.raises(NotFittedError):
        _ = SampleCovariance().precision_
    assert not hasattr(SampleCovariance(), "covariance_")


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="unknown norm 'max': choose from 'frobenius', 'spectral'"):
        SampleCovariance().fit(X).error_norm(np.eye(13), norm="max")


def test_masks_are_refused_and_float32_means_are_not_rounded():
    X = np.random.default_rng(1).normal(size=(50, 3))
    fitted = SampleCovariance().fit(X)
    masked = np.ma.array(X, mask=X > 1)
    for call in (SampleCovariance().fit, fitted.mahalanobis, fitted.score):
        with pytest.raises(
            TypeError, match=r"^X must be a NumPy array, not numpy.ma.MaskedArray: a mask would be lost"
        ):
            call(masked)
    single = (X + 1e4).astype(np.float32)
    mean = single.astype(np.float64).mean(axis=0)
    assert np.allclose(SampleCovariance().fit(single).location_, mean, rtol=1e-12)


@pytest.mark.parametrize(
    "other, error, words",
    [
        (
            np.ma.array(np.eye(3), mask=np.eye(3) == 0),
            TypeError,
            "comp_cov must be a NumPy array, not numpy.ma",
        ),
        (
            np.full((3, 3), np.nan),
            ValueError,
            "comp_cov has NaN or infinities: a distance needs finite numbers",
        ),
        (np.eye(2), ValueError, "comp_cov has side 2, and covariance_ 3"),
        ([[1, 2], [0, 1]], ValueError, "not symmetric"),
        (np.eye(3).astype(str), TypeError, "comp_cov of dtype"),
    ],
)
def test_what_is_no_covariance_to_compare_with_is_refused(other, error, words):
    fitted = SampleCovariance().fit(np.random.default_rng(1).normal(size=(50, 3)))
    with pytest.raises(error, match=words):
        fitted.error_norm(other)


@pytest.mark.parametrize("name", ["sklearn", "graphs"])
def test_without_scikit_learn_the_extra_is_named(monkeypatch, name):
    for module in ("sklearn", "graphs"):
        monkeypatch.delitem(sys.modules, f"vech.adapters.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn: pip install 'vech\[sklearn\]'$"):
        importlib.import_module(f"vech.adapters.{name}")
