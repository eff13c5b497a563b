"""The rule from one triangle to the other: the reference's, number by number; and a name as any text."""

import copy
import json
import pickle

import numpy as np
import pytest

import cases
import reference
import vech
from cases import DTYPES, KINDS, STORE_KINDS
from compare import assert_same_bits
from vech.layouts.kind import STORED, Kind, resolve_kind, ruled

every_kind_of_every_dtype = cases.each(
    ("dtype", "kind"),
    [(dtype, kind) for dtype in DTYPES.values() for kind in KINDS if cases.allows(dtype, kind)],
    ids=str,
)


@every_kind_of_every_dtype
def test_numbers_are_mirrored_as_the_reference_does(dtype, kind):
    values = cases.raw(dtype, (3, 40), negatable=True)
    before = values.copy()
    kind = resolve_kind(kind, dtype, moves=True)
    assert_same_bits(kind.mirror(values), reference.mirror(values, kind))
    assert_same_bits(values, before)


@every_kind_of_every_dtype
def test_a_diagonal_is_settled_to_what_its_kind_has(dtype, kind):
    diagonal = cases.raw(dtype, 60)
    settled = diagonal.copy()
    if kind != "triangular":
        cases.clean_diagonal(settled, kind)
    assert_same_bits(resolve_kind(kind, dtype, moves=True).settled(diagonal), settled)


@pytest.mark.parametrize("kind", STORE_KINDS)
def test_what_a_diagonal_leaves_out_is_what_the_negated_kind_has(kind):
    diagonal = np.array([3 + 4j, -5j, 2, 0])
    kind = Kind(kind)
    np.testing.assert_array_equal(kind.settled(diagonal) + kind.negated.settled(diagonal), diagonal)


def test_kinds_are_the_four_rules_of_sign_and_conjugation():
    rules = {(kind.negates, kind.conjugates): kind for kind in STORED}
    assert len(rules) == 4 and {ruled(*rule): rule for rule in rules} == {rules[rule]: rule for rule in rules}
    assert tuple(STORED) == STORE_KINDS and set(Kind) == set(KINDS)
    for kind in Kind:
        assert kind.negated.negated is kind and kind.conjugated.conjugated is kind
        assert kind.conjugated.negates == kind.negates and kind.negated.conjugates == kind.conjugates


def test_real_numbers_are_not_conjugated():
    real, complex_ = np.dtype(float), np.dtype(complex)
    assert [str(kind.of(real)) for kind in Kind] == ["symmetric", "symmetric", "skew", "skew", "triangular"]
    assert all(kind.of(complex_) is kind for kind in Kind)


@cases.each("kind", KINDS)
def test_a_kind_is_its_name(kind):
    found = Kind(kind)
    assert found == kind and hash(found) == hash(kind) and {kind: 1}[found] == 1
    assert (repr(found), str(found), f"{found}", f"{found!r}") == (repr(kind), kind, kind, repr(kind))
    assert json.dumps(found) == json.dumps(kind) and json.dumps([found], indent=1) == json.dumps(
        [kind], indent=1
    )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(found, protocol)) is found
    assert copy.deepcopy(found) is found


@pytest.mark.parametrize("kind", STORE_KINDS)
def test_a_store_says_its_kind_as_text_and_takes_it_back(kind):
    S = vech.Packed(np.zeros(3, complex), kind=kind)
    assert S.kind == kind and repr(S.kind) == repr(kind) and f"kind={kind!r}" in repr(S)
    assert vech.Packed(S.half, kind=S.kind).kind == kind
    assert vech.expand(S.half, kind=S.kind).shape == (2, 2)


@cases.each(
    ("kind", "error", "message"),
    [
        ("hermitean", ValueError, "unknown kind 'hermitean': did you mean 'hermitian'"),
        ("odd", ValueError, r"choose from symmetric, hermitian, skew, skew-hermitian(, triangular)?$"),
        (
            3,
            TypeError,
            r"kind is a name \(symmetric, hermitian, skew, skew-hermitian(, triangular)?\), not int",
        ),
        ([], TypeError, "kind is a name .* not list"),
        ("triangular", ValueError, "no store holds a triangular matrix: use expand, pack and convert"),
        (
            None,
            ValueError,
            "complex numbers mirror in more than one way: say kind='symmetric' or kind='hermitian'",
        ),
    ],
)
def test_what_is_no_kind_is_refused(kind, error, message):
    with pytest.raises(error, match=message) as refused:
        vech.Packed(np.zeros(3, complex), kind=kind)
    if kind != "triangular":  # which no store is
        assert "triangular" not in str(refused.value)
    if kind is not None and kind != "triangular":
        with pytest.raises(error, match=message) as refused:
            vech.expand(np.zeros(3), kind=kind)
        assert ("triangular" in str(refused.value)) == (kind in ("odd", 3, []))
