"""Covariances of columns, straight to the half: data in, a store out."""

from vech.covariance.agreement import hamming, jaccard, matching, quadrant
from vech.covariance.data import exponential_weights
from vech.covariance.gerber import gerber
from vech.covariance.kendall import kendall
from vech.covariance.one_bit import one_bit
from vech.covariance.sample import correlation, sample, spearman
from vech.covariance.sampled import SampledGram, sampled_gram
from vech.covariance.shrinkage import ledoit_wolf, oas
from vech.covariance.spectrum import denoise, nonlinear
from vech.covariance.stream import Stream

__all__ = [
    "SampledGram",
    "Stream",
    "correlation",
    "denoise",
    "exponential_weights",
    "gerber",
    "hamming",
    "jaccard",
    "kendall",
    "ledoit_wolf",
    "matching",
    "nonlinear",
    "oas",
    "one_bit",
    "quadrant",
    "sample",
    "sampled_gram",
    "spearman",
]


def __dir__() -> list[str]:
    return __all__
