"""Subclasses of skfolio's `BaseCovariance` that vech computes, for its priors and optimisers as they are."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from vech import covariance
from vech.adapters.estimates import check_given, estimated
from vech.arrays import Array
from vech.packed.packed import Packed

try:
    from skfolio.moments import BaseCovariance
    from sklearn.utils.validation import validate_data
except ModuleNotFoundError as missing:
    reason = "vech.adapters.skfolio needs skfolio: pip install 'vech[skfolio]'"
    raise ModuleNotFoundError(reason, name="skfolio") from missing

__all__ = ["GerberCovariance", "LedoitWolf", "NonlinearShrinkage", "SampleCovariance"]


def __dir__() -> list[str]:
    return __all__


class _Covariance(BaseCovariance):
    """What all share: the checks of `fit`, and what follows from a store."""

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Estimate the covariance of returns, and repair it where `nearest` says so.

        Parameters
        ----------
        X : array or data frame, shape (n_observations, n_assets)
            Returns; names of columns become `feature_names_in_` and the labels of `store_`.
        y : ignored
            There for pipelines.
        **fit_params
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For X that scikit-learn's checks refuse, or that the function of `vech.covariance` does.
        skfolio.exceptions.NonPositiveVarianceError
            For an asset without variance.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]])
        >>> SampleCovariance().fit(X).covariance_
        array([[1., 2.],
               [2., 7.]])
        """
        check_given(X)
        holes = getattr(self, "missing", "raise") != "raise"
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan" if holes else True)
        found = self._estimate(X)
        labels = getattr(self, "feature_names_in_", None)
        self.store_ = Packed(found.half, found.layout, labels=labels)
        self.location_ = np.zeros(found.n) if self.assume_centered else np.nanmean(X, axis=0)
        self._set_covariance(self.store_.expand())
        return self

    def _estimate(self, X: Array) -> Packed:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = getattr(self, "missing", "raise") != "raise"
        return tags


class SampleCovariance(_Covariance):
    """The sample covariance; see `vech.covariance.sample`.

    Parameters
    ----------
    ddof : number
        Taken off the number of rows in the divisor, with `assume_centered` too, as skfolio has it.
    missing : {"raise", "neutral", "pairwise"}
        What NaN means.
    assume_centered : bool
        Whether the means are taken to be zero.
    nearest, higham, higham_max_iteration
        As every `BaseCovariance` of skfolio has them: whether and how what is not definite is repaired.
    threads : int, optional
        At most so many threads.

    Attributes
    ----------
    covariance_ : array, shape (n_assets, n_assets)
        The full matrix, repaired if need be: what skfolio's priors and optimisers take.
    store_ : Packed, shape (n_assets, n_assets)
        What was estimated, each number once, with the names of the assets as labels.
    location_ : array, shape (n_assets,)
        The mean of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from skfolio.optimization import MeanRisk
    >>> from skfolio.prior import EmpiricalPrior
    >>> X = np.random.default_rng(0).normal(size=(60, 3)) * [0.01, 0.02, 0.03]
    >>> model = MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=SampleCovariance()))
    >>> model.fit(X).weights_.round(2)
    array([0.64, 0.29, 0.07])
    """

    def __init__(
        self,
        *,
        ddof: float = 1,
        missing: str = "raise",
        assume_centered: bool = False,
        nearest: bool = True,
        higham: bool = False,
        higham_max_iteration: int = 100,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            assume_centered=assume_centered,
            nearest=nearest,
            higham=higham,
            higham_max_iteration=higham_max_iteration,
        )
        self.ddof = ddof
        self.missing = missing
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed = estimated(self, covariance.sample, X)
        return found


class LedoitWolf(_Covariance):
    """Ledoit and Wolf's shrinkage; see `vech.covariance.ledoit_wolf`.

    Parameters
    ----------
    target : {"identity", "constant-correlation"}
        What the sample covariance is shrunk towards.
    missing : {"raise", "neutral"}
        What NaN means.
    assume_centered, nearest, higham, higham_max_iteration, threads
        As `SampleCovariance` has them.

    Attributes
    ----------
    covariance_, store_, location_
        As `SampleCovariance` has them.
    shrinkage_ : float
        The intensity: 0 is the sample covariance, 1 the target.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> 0 < LedoitWolf(target="constant-correlation").fit(X).shrinkage_ < 1
    True
    """

    def __init__(
        self,
        *,
        target: str = "identity",
        missing: str = "raise",
        assume_centered: bool = False,
        nearest: bool = True,
        higham: bool = False,
        higham_max_iteration: int = 100,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            assume_centered=assume_centered,
            nearest=nearest,
            higham=higham,
            higham_max_iteration=higham_max_iteration,
        )
        self.target = target
        self.missing = missing
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed
        found, self.shrinkage_ = estimated(self, covariance.ledoit_wolf, X, return_shrinkage=True)
        return found


class NonlinearShrinkage(_Covariance):
    """Each eigenvalue shrunk by itself; see `vech.covariance.nonlinear`.

    Parameters
    ----------
    missing : {"raise", "neutral"}
        What NaN means.
    assume_centered, nearest, higham, higham_max_iteration, threads
        As `SampleCovariance` has them.

    Attributes
    ----------
    covariance_, store_, location_
        As `SampleCovariance` has them.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> bool(np.linalg.eigvalsh(NonlinearShrinkage().fit(X).covariance_).min() > 0)
    True
    """

    def __init__(
        self,
        *,
        missing: str = "raise",
        assume_centered: bool = False,
        nearest: bool = True,
        higham: bool = False,
        higham_max_iteration: int = 100,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            assume_centered=assume_centered,
            nearest=nearest,
            higham=higham,
            higham_max_iteration=higham_max_iteration,
        )
        self.missing = missing
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed = estimated(self, covariance.nonlinear, X)
        return found


class GerberCovariance(_Covariance):
    """The covariance by the Gerber statistic; see `vech.covariance.gerber`.

    Parameters
    ----------
    threshold : number or sequence of n_assets numbers
        In standard deviations of a column: moves below it do not count.
    form : {"gs1", "gs2", "gs0"}
        "gs1" is skfolio's ``psd_variant=True``, "gs2" its ``psd_variant=False``; "gs0" is mostly indefinite.
    center : {"zero", "mean", "median"}
        What a move is measured from.
    missing : {"raise", "neutral", "pairwise"}
        What NaN means.
    nearest, higham, higham_max_iteration, threads
        As `SampleCovariance` has them.

    Attributes
    ----------
    covariance_, store_, location_
        As `SampleCovariance` has them.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> GerberCovariance(0.7).fit(X).covariance_.shape
    (30, 30)
    """

    def __init__(
        self,
        threshold: Any = 0.5,
        *,
        form: str = "gs1",
        center: str = "zero",
        missing: str = "raise",
        nearest: bool = True,
        higham: bool = False,
        higham_max_iteration: int = 100,
        threads: int | None = None,
    ) -> None:
        super().__init__(nearest=nearest, higham=higham, higham_max_iteration=higham_max_iteration)
        self.threshold = threshold
        self.form = form
        self.center = center
        self.missing = missing
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed = estimated(self, covariance.gerber, X)
        return found
