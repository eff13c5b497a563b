"""scikit-learn estimators of covariance whose `covariance_` is a store: each number held once."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from vech import covariance, linalg
from vech.adapters.estimates import check_given, estimated
from vech.adapters.graphs import StoreNeighbors
from vech.arrays import Array, as_array
from vech.frames import square_labels
from vech.linalg import Cholesky
from vech.moves.packing import pack
from vech.packed.packed import Packed
from vech.store import Store

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as missing:
    reason = "vech.adapters.sklearn needs scikit-learn: pip install 'vech[sklearn]'"
    raise ModuleNotFoundError(reason, name="sklearn") from missing

__all__ = ["OAS", "GerberCovariance", "LedoitWolf", "SampleCovariance", "StoreNeighbors"]


def __dir__() -> list[str]:
    return __all__


class _Covariance(BaseEstimator):
    """What all estimators share: the checks of `fit`, and what follows from `covariance_` and `location_`."""

    _missing = "raise"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Estimate the covariance of the columns of X.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features)
            Real numbers; names of columns become `feature_names_in_` and the labels of `covariance_`.
        y : ignored
            There for pipelines.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For X that scikit-learn's checks refuse (names, dimensions, infinities, and NaN where it is not
            taken), or that the estimator of `vech.covariance` does.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
        >>> estimator = SampleCovariance().fit(X)
        >>> estimator.covariance_.half.round(4)
        array([1.6667, 1.3333, 4.6667])
        """
        finite = "allow-nan" if self._allows_nan() else True
        check_given(X)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_min_samples=2, ensure_all_finite=finite
        )
        self._inverse: Cholesky | Packed | None = None
        empty = np.isnan(X).all(axis=0) if self._allows_nan() else np.zeros(1, bool)
        if empty.any():
            raise ValueError(f"column {int(np.argmax(empty))} of X has no number that counts: drop it")
        if getattr(self, "assume_centered", False):
            self.location_: Array = np.zeros(X.shape[1])
        else:  # of float32 too: rounding would move it
            self.location_ = np.asarray(np.nanmean(X, axis=0, dtype=np.float64))
        found = self._estimate(X)
        labels = getattr(self, "feature_names_in_", None)
        self.covariance_ = Packed(found.half, found.layout, kind=found.kind, labels=labels)
        return self

    def _estimate(self, X: Array) -> Packed:
        raise NotImplementedError

    def _allows_nan(self) -> bool:
        return getattr(self, "missing", "raise") != "raise"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allows_nan()
        return tags

    def _inverted(self) -> Cholesky | Packed:
        """What solves with `covariance_`, made when it is first needed: its factor, or its pseudo-inverse."""
        check_is_fitted(self)
        if self._inverse is None:
            try:
                self._inverse = linalg.cholesky(self.covariance_)
            except np.linalg.LinAlgError:
                self._inverse = _pseudo_inverse(self.covariance_)
        return self._inverse

    @property
    def precision_(self) -> Packed:
        """The inverse of `covariance_`, a store too; if there is none, its pseudo-inverse, which expands it.

        Computed each time it is asked for, from a factor that is kept.
        """
        inverse = self._inverted()
        return inverse if isinstance(inverse, Packed) else inverse.inverse()

    def get_precision(self) -> Packed:
        """`precision_`.

        Returns
        -------
        Packed, shape (n_features, n_features)

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
        >>> estimator = SampleCovariance().fit(X)
        >>> estimator.get_precision().half.round(4)
        array([ 0.7778, -0.2222,  0.2778])
        """
        return self.precision_

    def mahalanobis(self, X: Any) -> Array:
        """Squared Mahalanobis distances of rows to `location_`, shape (n_samples,).

        Takes two triangular solutions for each row; `covariance_` is factored at the first call.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features)
            Real numbers, with the columns that `fit` saw.

        Returns
        -------
        array, shape (n_samples,)

        Raises
        ------
        ValueError
            For X that scikit-learn's checks refuse.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
        >>> estimator = SampleCovariance().fit(X)
        >>> estimator.mahalanobis(X).round(4)
        array([1.3611, 0.8611, 2.0278, 1.75  ])
        """
        check_is_fitted(self)
        check_given(X)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        centred = np.asarray((X - self.location_).T, self.covariance_.dtype)
        inverse = self._inverted()
        solved = inverse @ centred if isinstance(inverse, Packed) else inverse.solve(centred)
        return np.asarray((centred * solved).sum(axis=0))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean Gaussian log-likelihood of rows under `location_` and `covariance_`; -inf where singular.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features)
            Real numbers, with the columns that `fit` saw.
        y : ignored
            There for pipelines.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For X that scikit-learn's checks refuse.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
        >>> estimator = SampleCovariance().fit(X)
        >>> round(estimator.score(X), 4)
        -3.4838
        """
        distance = float(self.mahalanobis(X).mean())
        inverse = self._inverted()
        if isinstance(inverse, Packed):
            return -float("inf")
        return -0.5 * (distance + inverse.logdet() + self.covariance_.n * float(np.log(2 * np.pi)))

    def error_norm(
        self, comp_cov: Any, norm: str = "frobenius", scaling: bool = True, squared: bool = True
    ) -> float:
        """How far `covariance_` is from another covariance.

        Parameters
        ----------
        comp_cov : store, or array or data frame of shape (n_features, n_features)
            The other covariance; an array must be symmetric, and its numbers finite.
        norm : {"frobenius", "spectral"}
            Of the difference.
        scaling : bool
            Whether the squared norm is divided by n_features.
        squared : bool
            Whether the squared norm is returned.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For another norm, an array that is not symmetric, and one of another side.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
        >>> estimator = SampleCovariance().fit(X)
        >>> round(estimator.error_norm(np.eye(2), squared=False), 4)
        2.9533
        """
        check_is_fitted(self)
        if norm not in ("frobenius", "spectral"):
            raise ValueError(f"unknown norm {norm!r}: choose from 'frobenius', 'spectral'")
        other = comp_cov
        if not isinstance(comp_cov, Store):
            other = Packed(pack(as_array(comp_cov, "comp_cov")), labels=square_labels(comp_cov, "comp_cov"))
        if other.n != self.covariance_.n:
            raise ValueError(f"comp_cov has side {other.n}, and covariance_ {self.covariance_.n}")
        if not np.isfinite(linalg.norm(other, "max")):
            raise ValueError("comp_cov has NaN or infinities: a distance needs finite numbers")
        square = linalg.norm(self.covariance_ - other, "fro" if norm == "frobenius" else 2) ** 2
        if scaling:
            square /= self.covariance_.n
        return float(square if squared else np.sqrt(square))


def _pseudo_inverse(S: Packed) -> Packed:
    """Moore and Penrose's, of what is more than rounding."""
    values, vectors = linalg.eigh(S)
    kept = np.abs(values) > S.n * np.finfo(values.dtype).eps * np.abs(values).max(initial=0)
    found = Packed(np.zeros_like(S.half, values.dtype), S.layout)
    for sign in (1.0, -1.0):
        chosen = kept & (sign * values > 0)
        found.add_outer(vectors[:, chosen] / np.sqrt(np.abs(values[chosen])), sign)
    return found


class SampleCovariance(_Covariance):
    """The sample covariance, held once.

    Parameters
    ----------
    ddof : number, optional
        Taken off the number of rows in the divisor: 1 unless told, 0 with `assume_centered`. scikit-learn's
        EmpiricalCovariance has 0.
    missing : {"raise", "neutral", "pairwise"}
        What NaN means: see `vech.covariance.sample`.
    assume_centered : bool
        Whether the means are taken to be zero, as `location_` then is.
    layout : str or layout
        Of `covariance_`.
    threads : int, optional
        At most so many threads.

    Attributes
    ----------
    covariance_ : Packed, shape (n_features, n_features)
        ``np.asarray`` of it is the full matrix.
    location_ : array, shape (n_features,)
        The mean of each column.
    precision_ : Packed, shape (n_features, n_features)
        The inverse, made when asked for.

    Examples
    --------
    >>> import numpy as np
    >>> estimator = SampleCovariance().fit(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]]))
    >>> np.asarray(estimator.covariance_)
    array([[1., 2.],
           [2., 7.]])
    """

    def __init__(
        self,
        *,
        ddof: float | None = None,
        missing: str = "raise",
        assume_centered: bool = False,
        layout: Any = "vech",
        threads: int | None = None,
    ) -> None:
        self.ddof = ddof
        self.missing = missing
        self.assume_centered = assume_centered
        self.layout = layout
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed = estimated(self, covariance.sample, X)
        return found


class LedoitWolf(_Covariance):
    """Ledoit and Wolf's shrinkage, held once; see `vech.covariance.ledoit_wolf`.

    Parameters
    ----------
    target : {"identity", "constant-correlation"}
        What the sample covariance is shrunk towards.
    missing : {"raise", "neutral"}
        What NaN means.
    assume_centered : bool
        Whether the means are taken to be zero, as `location_` then is.
    layout : str or layout
        Of `covariance_`.
    threads : int, optional
        At most so many threads.

    Attributes
    ----------
    covariance_, location_, precision_
        As `SampleCovariance` has them.
    shrinkage_ : float
        The intensity: 0 is the sample covariance, 1 the target.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> estimator = LedoitWolf().fit(X)
    >>> 0 < estimator.shrinkage_ < 1, estimator.precision_.n
    (True, 30)
    """

    def __init__(
        self,
        *,
        target: str = "identity",
        missing: str = "raise",
        assume_centered: bool = False,
        layout: Any = "vech",
        threads: int | None = None,
    ) -> None:
        self.target = target
        self.missing = missing
        self.assume_centered = assume_centered
        self.layout = layout
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed
        found, self.shrinkage_ = estimated(self, covariance.ledoit_wolf, X, return_shrinkage=True)
        return found


class OAS(_Covariance):
    """Oracle approximating shrinkage, held once; see `vech.covariance.oas`.

    Parameters
    ----------
    missing : {"raise", "neutral"}
        What NaN means.
    assume_centered : bool
        Whether the means are taken to be zero, as `location_` then is.
    layout : str or layout
        Of `covariance_`.
    threads : int, optional
        At most so many threads.

    Attributes
    ----------
    covariance_, location_, precision_, shrinkage_
        As `LedoitWolf` has them.

    Examples
    --------
    >>> import numpy as np
    >>> estimator = OAS().fit(np.random.default_rng(0).normal(size=(20, 30)))
    >>> 0 < estimator.shrinkage_ <= 1
    True
    """

    def __init__(
        self,
        *,
        missing: str = "raise",
        assume_centered: bool = False,
        layout: Any = "vech",
        threads: int | None = None,
    ) -> None:
        self.missing = missing
        self.assume_centered = assume_centered
        self.layout = layout
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed
        found, self.shrinkage_ = estimated(self, covariance.oas, X, return_shrinkage=True)
        return found


class GerberCovariance(_Covariance):
    """The covariance by the Gerber statistic, held once; see `vech.covariance.gerber`.

    Parameters
    ----------
    threshold : number or sequence of n_features numbers
        In standard deviations of a column: moves below it do not count.
    form : {"gs1", "gs2", "gs0"}
        "gs1" and "gs2" are positive semidefinite, "gs0" need not be.
    center : {"zero", "mean", "median"}
        What a move is measured from.
    missing : {"raise", "neutral", "pairwise"}
        What NaN means.
    repair : {"nearest", "shrink"}, optional
        Makes what may be indefinite ("gs0", "pairwise") positive definite.
    layout : str or layout
        Of `covariance_`.
    threads : int, optional
        At most so many threads.

    Attributes
    ----------
    covariance_, location_, precision_
        As `SampleCovariance` has them.

    Examples
    --------
    >>> import numpy as np
    >>> estimator = GerberCovariance(0.7).fit(np.random.default_rng(0).normal(size=(20, 30)))
    >>> estimator.covariance_.n
    30
    """

    def __init__(
        self,
        threshold: Any = 0.5,
        *,
        form: str = "gs1",
        center: str = "zero",
        missing: str = "raise",
        repair: str | None = None,
        layout: Any = "vech",
        threads: int | None = None,
    ) -> None:
        self.threshold = threshold
        self.form = form
        self.center = center
        self.missing = missing
        self.repair = repair
        self.layout = layout
        self.threads = threads

    def _estimate(self, X: Array) -> Packed:
        found: Packed = estimated(self, covariance.gerber, X)
        return found
