"""Prices in a frame with days: estimates, a stream of months, repair, weights of four libraries, Parquet."""

import numpy as np
import pandas
import pytest
import sklearn.covariance

import vech

ASSETS = ["AAPL", "BRK.B", "KO", "MSFT", "XOM"]


@pytest.fixture
def prices():
    rng = np.random.default_rng(4)
    moves = rng.normal(0, 0.01, (260, 5)) + rng.normal(0, 0.01, (260, 1))
    days = pandas.bdate_range("2023-01-02", periods=260)
    return pandas.DataFrame(100 * np.exp(np.cumsum(moves, axis=0)), index=days, columns=ASSETS)


def test_from_prices_to_estimates(prices):
    returns = prices.pct_change().iloc[1:]
    S, intensity = vech.covariance.ledoit_wolf(returns, return_shrinkage=True)
    stream = vech.covariance.Stream("sample", half_life=60)
    for _, month in returns.groupby(returns.index.to_period("M")):
        stream.update(month)
    recent = stream.result()
    vech.write("risk.parquet", S)

    theirs, their_intensity = sklearn.covariance.ledoit_wolf(returns)
    np.testing.assert_allclose(S.to_frame().loc[ASSETS, ASSETS], theirs, rtol=1e-10)
    assert intensity == pytest.approx(their_intensity)
    faded = returns.ewm(halflife=60).cov().loc[returns.index[-1]]
    pandas.testing.assert_frame_equal(recent.to_frame(), faded, rtol=1e-10, check_names=False)
    pandas.testing.assert_frame_equal(pandas.read_parquet("risk.parquet"), S.to_frame())
    assert vech.read("risk.parquet").labels == tuple(ASSETS)


def test_days_that_are_alike_keep_their_timestamps(prices):
    returns = prices.pct_change().iloc[1:8]
    alike = vech.pairwise.cosine(returns)
    vech.write("days.parquet", alike)
    vech.write("days.npz", alike)
    first, second = returns.index[:2]
    norms = np.linalg.norm(returns.iloc[:2], axis=1).prod()
    assert alike[first, second] == pytest.approx(returns.loc[first] @ returns.loc[second] / norms)
    for back in (vech.read("days.npz"), vech.read("days.parquet")):
        assert back.labels == tuple(returns.index) and back[first, second] == alike[first, second]
    assert list(pandas.read_parquet("days.parquet").index) == list(returns.index)
    assert str(alike).split()[0] == "2023-01-03"


def test_pairs_with_holes_are_repaired_and_get_weights(prices):
    returns = prices.pct_change().iloc[1:]
    returns.iloc[:200, 0] = np.nan  # listed in autumn
    S = vech.covariance.sample(returns, missing="pairwise", min_periods=30)
    S = vech.linalg.nearest_psd(S).matrix
    weights = vech.linalg.solve(S, pandas.Series(1.0, index=ASSETS))
    weights /= weights.sum()
    risk = S.quadratic(weights)

    theirs = np.linalg.solve(returns.cov(), np.ones(5))
    np.testing.assert_allclose(weights[ASSETS], theirs / theirs.sum(), rtol=1e-8)
    assert risk == pytest.approx(weights @ returns.cov() @ weights)


def test_every_optimiser_takes_it(prices):
    cp = pytest.importorskip("cvxpy", reason="it finds weights")
    pypfopt = pytest.importorskip("pypfopt", reason="it finds weights")
    pytest.importorskip("skfolio", reason="it finds weights")
    from skfolio.moments import GerberCovariance as Theirs
    from skfolio.optimization import MeanRisk
    from skfolio.prior import EmpiricalPrior

    from vech.adapters.skfolio import GerberCovariance

    returns = prices.pct_change().iloc[1:]
    S = vech.covariance.gerber(returns, 0.7)
    w = cp.Variable(S.n)
    cp.Problem(cp.Minimize(cp.quad_form(w, S)), [cp.sum(w) == 1, w >= 0]).solve()
    frontier = pypfopt.EfficientFrontier(None, S.to_frame()).min_volatility()
    prior = EmpiricalPrior(covariance_estimator=GerberCovariance(0.7))
    portfolio = MeanRisk(prior_estimator=prior).fit(returns)

    theirs = Theirs(threshold=0.7, psd_variant=True).fit(returns).covariance_
    np.testing.assert_allclose(S.expand(), theirs, rtol=1e-8)
    assert list(frontier) == ASSETS
    np.testing.assert_allclose(list(frontier.values()), w.value, atol=1e-3)
    np.testing.assert_allclose(portfolio.weights_, w.value, atol=1e-3)


def test_the_same_on_the_command_line(prices, shell):
    returns = prices.pct_change().iloc[1:]
    returns.to_csv("returns.csv")
    returns.to_parquet("returns.parquet")
    shell("vech covariance returns.csv -o risk.parquet --method ledoit_wolf")
    shell("vech covariance returns.parquet -o recent.npz --half-life 60")
    assert "5 labels: AAPL, BRK.B, KO, MSFT, XOM" in shell("vech info risk.parquet recent.npz")
    shell("vech plot recent.npz -o spectrum.png --spectrum --n-samples 259")

    theirs = pandas.DataFrame(sklearn.covariance.ledoit_wolf(returns)[0], ASSETS, ASSETS)
    pandas.testing.assert_frame_equal(pandas.read_parquet("risk.parquet"), theirs, rtol=1e-8)
    faded = returns.ewm(halflife=60).cov().loc[returns.index[-1]]
    np.testing.assert_allclose(vech.read("recent.npz").expand(), faded, rtol=1e-8)
