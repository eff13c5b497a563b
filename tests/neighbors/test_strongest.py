"""The strongest pairs, against a full sort."""

import sys

import near
import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech.neighbors import strongest

WAYS = [(True, True), (True, False), (False, True), (False, False)]


def expected(full, k, absolute, largest):
    def cost(pair):
        number = full[pair].item()
        size = abs(number) if absolute else number
        return (-size if largest else size, *pair)

    n = len(full)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if full[i, j] == full[i, j]]
    return sorted(pairs, key=cost)[:k]


def assert_strongest(S, full, k, absolute=True, largest=True):
    full = near.held(S, full)
    found = strongest(S, k, absolute=absolute, largest=largest)
    pairs = expected(full, k, absolute, largest)
    assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == pairs
    assert found.i.dtype == found.j.dtype == np.int64 and found.value.dtype == full.dtype
    np.testing.assert_array_equal(found.value, np.array([full[pair] for pair in pairs], full.dtype))
    return found


@cases.each("chunk", [7, 2**18])
@cases.each("absolute, largest", WAYS)
@cases.each("n, k", [(0, 3), (1, 3), (2, 3), (6, 0), (6, 1), (17, 7), (17, 136), (17, 1000)])
def test_they_are_the_first_of_a_full_sort(monkeypatch, n, k, absolute, largest, chunk):
    monkeypatch.setattr(sys.modules["vech.neighbors.strongest"], "CHUNK", chunk)
    for full in (near.ties(n), near.holes(n), near.ordinary(n)):
        for S in near.stores(full).values():
            assert_strongest(S, full, k, absolute, largest)


@cases.each("absolute, largest", WAYS)
@cases.each("dtype", ["bool", "int8", "uint8", "int64", "uint64", "float16", "float32", ">f8", ">i4"])
def test_of_every_dtype(dtype, absolute, largest):
    full = near.ties(12, dtype).astype(np.dtype(dtype).newbyteorder("="))
    S = vech.Packed(vech.pack(full).astype(dtype))
    assert_strongest(S, full, 20, absolute, largest)


def test_the_largest_integers_are_told_apart():
    full = vech.expand(np.array([-(2**63), 2**63 - 1, 2**63 - 2]), "condensed")
    for absolute, largest in WAYS:
        assert_strongest(vech.Packed(vech.pack(full)), full, 3, absolute, largest)


def test_of_a_sparse_half_what_is_stored():
    A = scipy.sparse.random_array((60, 60), density=0.02, random_state=np.random.default_rng(0))
    S = vech.SparseHalf.from_sparse((A + A.T).tocsr(), labels=range(60))
    found = strongest(S, 10**4, absolute=False, largest=False)
    stored = S.to_pairs()
    assert sorted(found.value) == sorted(stored.value) == found.value.tolist() and found.labels == S.labels


def test_labels_are_in_the_frame():
    pytest.importorskip("pandas")
    S = vech.Packed(np.array([0.1, -0.9, 0.3]), "condensed", labels=["x", "y", "z"])
    assert strongest(S, 2).to_frame().values.tolist() == [["x", "z", -0.9], ["y", "z", 0.3]]


def test_a_number_of_pairs_is_not_negative():
    with pytest.raises(ValueError, match=r"^k is -1, and a number of pairs is not negative$"):
        strongest(np.zeros((3, 3)), -1)
