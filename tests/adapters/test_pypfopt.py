"""Risk models for PyPortfolioOpt: its own numbers, its own optimiser, and prices that are none."""

import importlib
import sys

import numpy as np
import pytest

import cases
import vech

pandas = pytest.importorskip("pandas", reason="the adapter gives frames of pandas")

from vech.adapters.pypfopt import METHODS, risk_matrix

RNG = np.random.default_rng(3)
ASSETS = ["AAPL", "JPM", "KO", "PFE"]
DAYS = pandas.date_range("2020-01-01", periods=260, name="day")
STEPS = RNG.normal(0.0005, 0.01, (260, 1)) + RNG.normal(0, 0.01, (260, 4))
PRICES = pandas.DataFrame(100 * np.exp(np.cumsum(STEPS, axis=0)), index=DAYS, columns=ASSETS)
SAME = ("sample_cov", "exp_cov", "ledoit_wolf", "ledoit_wolf_constant_variance", "oracle_approximating")


@cases.each("method", SAME)
@cases.each("how", ({}, {"log_returns": True}, {"frequency": 12}), ids=str)
def test_it_is_the_risk_matrix_of_pyportfolioopt(method, how):
    peer = pytest.importorskip("pypfopt", reason="the peer")
    want = peer.risk_models.risk_matrix(PRICES, method, **how)
    pandas.testing.assert_frame_equal(risk_matrix(PRICES, method, **how), want, rtol=1e-9)
    returns = PRICES.pct_change().iloc[1:]
    want = peer.risk_models.risk_matrix(returns, method, returns_data=True)
    pandas.testing.assert_frame_equal(risk_matrix(returns, method, returns_data=True), want, rtol=1e-9)


def test_options_of_pyportfolioopt_are_taken():
    peer = pytest.importorskip("pypfopt", reason="the peer")
    want = peer.risk_models.exp_cov(PRICES, span=30)
    pandas.testing.assert_frame_equal(risk_matrix(PRICES, "exp_cov", span=30), want, rtol=1e-9)
    holed = PRICES.copy()
    holed.iloc[5:40, 2] = np.nan
    want = peer.risk_models.sample_cov(holed)
    pandas.testing.assert_frame_equal(risk_matrix(holed, "sample_cov", missing="pairwise"), want, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_what_an_optimiser_takes(method):
    peer = pytest.importorskip("pypfopt", reason="the peer")
    found = risk_matrix(PRICES, method)
    assert list(found.index) == list(found.columns) == ASSETS and (found.dtypes == np.float64).all()
    model = peer.EfficientFrontier(None, found)
    weights = model.min_volatility()
    assert list(weights) == ASSETS and sum(weights.values()) == pytest.approx(1)
    tree = peer.HRPOpt(cov_matrix=found).optimize()
    assert sorted(tree) == ASSETS


def test_the_frame_of_a_store_is_taken_as_it_is():
    peer = pytest.importorskip("pypfopt", reason="the peer")
    returns = PRICES.pct_change().iloc[1:]
    store = vech.covariance.gerber(returns) * 252
    model = peer.EfficientFrontier(returns.mean() * 252, store.to_frame(), weight_bounds=(-1, 1))
    weights = np.array(list(model.min_volatility().values()))
    best = vech.linalg.solve(store, np.ones(4))
    np.testing.assert_allclose(weights, best / best.sum(), atol=1e-4)


def test_methods_have_the_options_of_vech():
    returns = PRICES.pct_change().iloc[1:]
    found = risk_matrix(PRICES, "gerber", threshold=0.9, form="gs2")
    want = vech.covariance.gerber(returns, 0.9, form="gs2") * 252.0
    np.testing.assert_allclose(found, want.expand(), rtol=1e-12)
    found = risk_matrix(PRICES, "ledoit_wolf_constant_correlation")
    want = vech.covariance.ledoit_wolf(returns, "constant-correlation") * 252.0
    np.testing.assert_allclose(found, want.expand(), rtol=1e-12)


def test_arrays_and_frames_of_polars_are_taken():
    want = risk_matrix(PRICES).to_numpy()
    np.testing.assert_array_equal(risk_matrix(PRICES.to_numpy()), want)
    assert list(risk_matrix(PRICES.to_numpy()).columns) == [0, 1, 2, 3]
    polars = pytest.importorskip("polars")
    found = risk_matrix(polars.DataFrame({name: PRICES[name].to_numpy() for name in ASSETS}))
    np.testing.assert_array_equal(found, want)
    assert list(found.columns) == ASSETS


def test_without_pandas_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "vech.adapters.pypfopt")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"needs pandas: pip install 'vech\[pypfopt\]'$"):
        importlib.import_module("vech.adapters.pypfopt")


def refuses(kind, message, *arguments, **options):
    with pytest.raises(kind, match=message):
        risk_matrix(*arguments, **options)


def test_what_is_wrong_is_said():
    holed = PRICES.copy()
    holed.iloc[5, 2] = np.nan
    refuses(ValueError, r"^X has 2 NaN, the first in row 4, column 2 \('KO'\)", holed)
    assert np.isfinite(risk_matrix(holed, missing="neutral").to_numpy()).all()
    message = r"^prices has -.* in row 0, column \d \('.*'\): prices are positive; say returns_data=True if"
    returns = -PRICES.pct_change().iloc[1:].abs()
    refuses(ValueError, message, returns)
    holed.iloc[7, 1] = 0
    refuses(ValueError, r"^prices has 0 in row 7, column 1 \('JPM'\): prices are positive", holed)
    refuses(
        ValueError,
        "^no risk model 'semicovariance' here: choose from 'sample_cov', 'exp_cov', ",
        PRICES,
        "semicovariance",
    )
    refuses(ValueError, "^frequency must be a positive number of rows a year, .*not 0$", PRICES, frequency=0)
    refuses(ValueError, "^span must be a number of rows above 1, .*not 1$", PRICES, "exp_cov", span=1)
    refuses(TypeError, "^risk_matrix gives one frame: ", PRICES, return_shrinkage=True)
    refuses(TypeError, "threshold", PRICES, "sample_cov", threshold=0.5)
    refuses(ValueError, r"^prices has shape \(1, 4\), and no prices of two days", PRICES.iloc[:1])
    named = PRICES.assign(name="text")
    refuses(TypeError, "^column 'name' of prices has dtype", named)
    refuses(TypeError, "mask", np.ma.masked_invalid(PRICES))
    refuses(ValueError, "missing='pairwise' is not offered here", PRICES, missing="pairwise")
