"""skfolio's priors and optimisers over vech's estimators: its own estimators, prices and portfolios."""

import importlib
import sys

import numpy as np
import pytest

import cases
import vech

skfolio = pytest.importorskip("skfolio", reason="the adapter is for skfolio")

from skfolio.datasets import load_sp500_dataset
from skfolio.exceptions import NonPositiveVarianceError
from skfolio.moments import BaseCovariance
from skfolio.moments import EmpiricalCovariance as TheirSample
from skfolio.moments import GerberCovariance as TheirGerber
from skfolio.moments import LedoitWolf as TheirLedoitWolf
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting
from skfolio.preprocessing import prices_to_returns
from skfolio.prior import EmpiricalPrior
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from vech.adapters.skfolio import GerberCovariance, LedoitWolf, NonlinearShrinkage, SampleCovariance

RETURNS = prices_to_returns(load_sp500_dataset().iloc[-300:])
ESTIMATORS = [SampleCovariance(), LedoitWolf(), NonlinearShrinkage(), GerberCovariance()]
every_estimator = cases.each("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)

PEERS = [
    (SampleCovariance(), TheirSample()),
    (SampleCovariance(ddof=0, assume_centered=True), TheirSample(ddof=0, assume_centered=True)),
    (SampleCovariance(assume_centered=True), TheirSample(assume_centered=True)),
    (LedoitWolf(), TheirLedoitWolf()),
    (LedoitWolf(assume_centered=True), TheirLedoitWolf(assume_centered=True)),
    (GerberCovariance(0.7), TheirGerber(threshold=0.7)),
    (GerberCovariance(form="gs2"), TheirGerber(psd_variant=False)),
]


@pytest.mark.parametrize("ours, theirs", PEERS, ids=lambda e: repr(e))
def test_it_is_the_estimator_of_skfolio(ours, theirs):
    ours.fit(RETURNS), theirs.fit(RETURNS)
    np.testing.assert_allclose(ours.covariance_, theirs.covariance_, rtol=1e-9, atol=1e-15)
    if hasattr(theirs, "location_"):
        np.testing.assert_allclose(ours.location_, theirs.location_, rtol=1e-12, atol=1e-18)
        assert ours.score(RETURNS) == pytest.approx(theirs.score(RETURNS), rel=1e-9)
        np.testing.assert_allclose(ours.mahalanobis(RETURNS), theirs.mahalanobis(RETURNS), rtol=1e-7)
    if hasattr(theirs, "shrinkage_"):
        assert ours.shrinkage_ == pytest.approx(theirs.shrinkage_, rel=1e-9)


@every_estimator
def test_the_store_is_what_the_function_gives_with_the_names_of_the_assets(estimator):
    functions = {
        "SampleCovariance": vech.covariance.sample,
        "LedoitWolf": vech.covariance.ledoit_wolf,
        "NonlinearShrinkage": vech.covariance.nonlinear,
        "GerberCovariance": vech.covariance.gerber,
    }
    found = clone(estimator).fit(RETURNS)
    want = functions[type(estimator).__name__](RETURNS)
    assert isinstance(found, BaseCovariance)
    np.testing.assert_allclose(found.store_.half, want.half, rtol=1e-12, atol=1e-18)
    assert found.store_.labels == tuple(RETURNS.columns) == tuple(found.feature_names_in_)
    np.testing.assert_allclose(found.covariance_, want.expand(), rtol=1e-9, atol=1e-15)
    assert (
        found.n_features_in_ == 20 and found.store_["AAPL", "JPM"] if hasattr(found.store_, "loc") else True
    )
    assert clone(estimator).fit(RETURNS.to_numpy()).store_.labels is None


@every_estimator
@pytest.mark.parametrize("optimiser", (MeanRisk, HierarchicalRiskParity, RiskBudgeting))
def test_portfolios_are_made_of_it(estimator, optimiser):
    prior = EmpiricalPrior(covariance_estimator=estimator)
    model = optimiser(prior_estimator=prior).fit(RETURNS)
    assert model.weights_.sum() == pytest.approx(1) and (model.weights_ > -1e-9).all()
    used = model.prior_estimator_.return_distribution_.covariance
    np.testing.assert_array_equal(used, clone(estimator).fit(RETURNS).covariance_)
    assert model.predict(RETURNS).annualized_sharpe_ratio != 0


def test_the_portfolio_is_that_of_the_estimator_of_skfolio():
    weights = [
        MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=estimator)).fit(RETURNS).weights_
        for estimator in (LedoitWolf(), TheirLedoitWolf())
    ]
    np.testing.assert_allclose(*weights, atol=1e-6)


def test_parameters_are_searched():
    model = MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=GerberCovariance()))
    name = "prior_estimator__covariance_estimator__threshold"
    search = GridSearchCV(model, {name: [0.4, 0.8]}, cv=2).fit(RETURNS)
    assert search.best_params_[name] in (0.4, 0.8)


def test_what_is_missing_is_an_error_or_counts_as_told():
    holed = RETURNS.copy()
    holed.iloc[3:40, 2] = np.nan
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match="NaN"):
            clone(estimator).fit(holed)
        found = clone(estimator).set_params(missing="neutral").fit(holed)
        assert np.isfinite(found.covariance_).all()
    pairs = SampleCovariance(missing="pairwise", nearest=False).fit(holed)
    np.testing.assert_allclose(pairs.covariance_, holed.cov(), rtol=1e-9)
    with pytest.raises(TypeError, match="mask"):
        SampleCovariance(missing="neutral").fit(np.ma.masked_invalid(holed))


def test_what_is_not_definite_is_repaired_by_skfolio():
    few = RETURNS.iloc[:15]
    with pytest.warns(UserWarning, match="nearest"):
        found = SampleCovariance().fit(few)
    assert np.linalg.eigvalsh(found.covariance_).min() > 0
    np.testing.assert_allclose(found.store_.expand(), few.cov(), rtol=1e-9, atol=1e-18)
    kept = SampleCovariance(nearest=False).fit(few).covariance_
    np.testing.assert_array_equal(kept, found.store_.expand())


def test_without_skfolio_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "vech.adapters.skfolio")
    monkeypatch.setitem(sys.modules, "skfolio.moments", None)
    with pytest.raises(ImportError, match=r"needs skfolio: pip install 'vech\[skfolio\]'$"):
        importlib.import_module("vech.adapters.skfolio")


def test_an_asset_without_variance_is_named():
    flat = RETURNS.copy()
    flat["JPM"] = 0.0
    with pytest.raises(NonPositiveVarianceError, match="JPM"):
        SampleCovariance().fit(flat)
