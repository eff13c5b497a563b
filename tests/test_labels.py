"""Rows by label: S["a", "b"], S.loc, and what labels name nothing, or two things."""

import datetime
import re

import numpy as np
import pytest

import cases
import vech
from cases import STORES
from compare import assert_same_bits

SOME = {name: STORES[name] for name in ("packed-vech", "packed-rfp-nl", "sparse-half-upper")}
every_store = cases.each("make", SOME.values(), ids=SOME)
FULL = cases.matrix(np.float64, "symmetric", 5)
LABELS = ("AAPL", "MSFT", "IBM", "XOM", "KO")
TUPLES = (("x", 1), ("x", 2), ("y", 1), ("y", 2), ("z", 1))
DAYS = tuple(datetime.datetime(2024, 1, day) for day in range(1, 6))


def made(make, labels=LABELS):
    return make(FULL, "symmetric", labels=labels)


# ---- S.loc: every row with every column --------------------------------------------------------------------

KEYS = {
    "entry": (("IBM", "KO"), (2, 4)),
    "row": ("IBM", (2, slice(None))),
    "row-of-a-pair": (("IBM", slice(None)), (2, slice(None))),
    "column": ((slice(None), "KO"), (slice(None), 4)),
    "column-after-dots": ((..., "KO"), (slice(None), 4)),
    "list": (["KO", "AAPL", "KO"], ([4, 0, 4], range(5))),
    "lists": ((["KO", "AAPL"], ["IBM", "IBM", "MSFT"]), ([4, 0], [2, 2, 1])),
    "list-and-label": ((["KO", "AAPL"], "XOM"), ([4, 0], 3)),
    "slice": (slice("MSFT", "XOM"), ([1, 2, 3], range(5))),
    "slices": ((slice("MSFT", "XOM"), slice(None, "IBM")), ([1, 2, 3], [0, 1, 2])),
    "slice-with-a-step": (slice("AAPL", None, 2), ([0, 2, 4], range(5))),
    "slice-of-nothing": (slice("XOM", "MSFT"), ([], range(5))),
    "mask": (np.array([True, False, True, False, False]), ([0, 2], range(5))),
    "mask-as-a-list": (([True, False, True, False, False], "KO"), ([0, 2], 4)),
    "array": (np.array(["KO", "IBM"]), ([4, 2], range(5))),
    "none-of-them": (([], "KO"), ([], 4)),
    "all": (slice(None), (range(5), range(5))),
}


def taken(rows, columns):
    """Of the full matrix, every row with every column."""
    one = tuple(0 if isinstance(axis, int) else slice(None) for axis in (rows, columns))
    axes = (
        np.arange(5)[axis] if isinstance(axis, slice) else np.array(axis, int) for axis in (rows, columns)
    )
    return FULL[np.ix_(*(np.atleast_1d(axis) for axis in axes))][one]


@every_store
@cases.each(("key", "places"), KEYS.values(), ids=KEYS)
def test_loc_takes_every_row_with_every_column(make, key, places):
    found, want = made(make).loc[key], taken(*places)
    assert np.shape(found) == want.shape and type(found) is type(want)
    np.testing.assert_array_equal(found, want)


@every_store
@cases.each(("key", "places"), KEYS.values(), ids=KEYS)
def test_loc_is_that_of_pandas(make, key, places):
    pytest.importorskip("pandas")
    frame = made(make).to_frame()
    theirs = (
        key if key is not ... and not (isinstance(key, tuple) and key[0] is ...) else (slice(None), *key[1:])
    )
    np.testing.assert_array_equal(made(make).loc[key], np.asarray(frame.loc[theirs]))


@every_store
def test_numbers_are_labels_in_loc_and_positions_elsewhere(make):
    store = made(make, (3, 4, 10, 11, 0))
    assert store.loc[3, 4] == FULL[0, 1] and store[3, 4] == FULL[3, 4]
    np.testing.assert_array_equal(store.loc[3:10, np.array([0, 11])], FULL[np.ix_([0, 1, 2], [4, 3])])
    np.testing.assert_array_equal(store[[3, 4], [0, 0]], FULL[[3, 4], [0, 0]])


@every_store
def test_a_tuple_that_is_a_label_is_that_label(make):
    store = made(make, TUPLES)
    for key in (("y", 1), (("y", 1), slice(None))):
        np.testing.assert_array_equal(store.loc[key], FULL[2])
        np.testing.assert_array_equal(store[key], FULL[2])
    assert store.loc[("y", 1), ("x", 2)] == store[("y", 1), ("x", 2)] == FULL[2, 1]
    np.testing.assert_array_equal(store.loc[[("y", 1), ("x", 1)], ("z", 1)], FULL[[2, 0], 4])
    np.testing.assert_array_equal(store.loc[("x", 2) : ("y", 1)], FULL[1:3])


@every_store
def test_what_tuples_begin_with_is_all_of_them(make):
    store = made(make, TUPLES)
    np.testing.assert_array_equal(store.loc["x"], FULL[:2])
    np.testing.assert_array_equal(store.loc["x", "y"], FULL[:2, 2:4])
    np.testing.assert_array_equal(store.loc[("x",), ("z", 1)], FULL[:2, 4])
    np.testing.assert_array_equal(store.loc[["z", "x"], ("y", 1)], FULL[[4, 0, 1], 2])
    np.testing.assert_array_equal(store.loc["x":"y", ("y", 1)], FULL[:4, 2])
    with pytest.raises(KeyError, match=r"'x' begins several labels, and is none: S\.loc takes all of them"):
        store["x", "y"]


@every_store
def test_days_are_labels(make):
    pandas = pytest.importorskip("pandas")
    for labels in (DAYS, pandas.DatetimeIndex(DAYS), np.array(DAYS, "M8[s]")):
        store = made(make, labels)
        for day in (DAYS[3], pandas.Timestamp(DAYS[3]), np.datetime64(DAYS[3]), np.datetime64("2024-01-04")):
            assert store.loc[day, DAYS[0]] == store[day, DAYS[0]] == store[day, 0] == FULL[3, 0]
        np.testing.assert_array_equal(store.loc[pandas.DatetimeIndex(DAYS[1:3])], FULL[1:3])
    with pytest.raises(
        KeyError, match=r"no row has the label datetime.*: did you mean datetime.datetime\(2024, 1, 5"
    ):
        made(make, DAYS).loc[datetime.datetime(2025, 1, 1)]


@every_store
def test_a_series_masks_the_rows_of_its_own_labels(make):
    pandas = pytest.importorskip("pandas")
    store = made(make)
    mask = pandas.Series([True, False, False, True, False], index=["KO", "XOM", "IBM", "MSFT", "AAPL"])
    np.testing.assert_array_equal(store.loc[mask], FULL[[1, 4]])
    other = mask.rename({"KO": "IBM"})
    message = "the index of a mask does not hold each label once: pass mask.to_numpy() for a mask by position"
    with pytest.raises(IndexError, match=re.escape(message)):
        store.loc[other]


# ---- S[...]: as positions, which pair up -------------------------------------------------------------------


@every_store
def test_labels_stand_for_positions(make):
    store = made(make)
    for key, places in (
        (("IBM", "KO"), (2, 4)),
        ("IBM", 2),
        ((["KO", "AAPL"], ["IBM", "MSFT"]), ([4, 0], [2, 1])),
        ((["KO", "AAPL"], "IBM"), ([4, 0], 2)),
        ((np.array(["KO", "AAPL"]), slice(None)), ([4, 0], slice(None))),
        ((np.array(["KO", "AAPL"], object), 3), ([4, 0], 3)),
        (("IBM", 3), (2, 3)),
        ((np.str_("IBM"), np.array("KO")), (2, 4)),
        ((slice("MSFT", "XOM"), slice("IBM", None)), (slice(1, 4), slice(2, 5))),
        ((..., "IBM"), (..., 2)),
    ):
        np.testing.assert_array_equal(store[key], FULL[places])


@every_store
def test_parts_and_orders_are_named_by_label(make):
    store = made(make)
    for part in (store.submatrix(["KO", "IBM"]), store.submatrix(np.array(["KO", "IBM"]))):
        assert part.labels == ("KO", "IBM")
        np.testing.assert_array_equal(part.expand(), FULL[np.ix_([4, 2], [4, 2])])
    assert store.submatrix(slice("MSFT", "XOM")).labels == LABELS[1:4]
    turned = store.permute(LABELS[::-1])
    assert turned.labels == LABELS[::-1]
    np.testing.assert_array_equal(turned.expand(), FULL[::-1, ::-1])
    with pytest.raises(ValueError, match="order must hold each of 0 to 4 once"):
        store.permute(["KO", "KO", "IBM", "XOM", "MSFT"])


# ---- assignment --------------------------------------------------------------------------------------------


def changed(key, value, labels=LABELS):
    store = vech.Packed(vech.pack(FULL), labels=labels)
    store.loc[key] = value
    return store.expand()


def test_assignment_changes_both_sides():
    full = FULL.copy()
    full[2, 4] = full[4, 2] = 7
    assert_same_bits(changed(("IBM", "KO"), 7), full)
    store = vech.Packed(vech.pack(FULL), labels=LABELS)
    store["KO", "IBM"] = 7
    assert_same_bits(store.expand(), full)


def test_assignment_is_outer():
    full, values = FULL.copy(), np.array([[1.0, 2], [3, 4]])
    full[np.ix_([0, 1], [3, 4])], full[np.ix_([3, 4], [0, 1])] = values, values.T
    assert_same_bits(changed((["AAPL", "MSFT"], slice("XOM", None)), values), full)
    full = FULL.copy()
    full[2] = full[:, 2] = 9
    for key in ("IBM", ("IBM", slice(None)), (slice(None), "IBM"), (slice(None), ["IBM"])):
        assert_same_bits(changed(key, 9), full)
    full[2, :], full[:, 2] = np.arange(5.0), np.arange(5.0)
    assert_same_bits(changed("IBM", np.arange(5.0)), full)


def test_assignment_to_what_is_no_label_changes_nothing():
    store = vech.Packed(vech.pack(FULL), labels=LABELS)
    for key in ("DIS", ("IBM", ["KO", "DIS"])):
        with pytest.raises(KeyError, match="no row has the label 'DIS'"):
            store.loc[key] = 0
    assert_same_bits(store.expand(), FULL)


def test_a_sparse_store_takes_no_assignment():
    store = made(STORES["sparse-half-lower"])
    with pytest.raises(TypeError, match=r"a SparseHalf takes no assignment: assign to S.to_packed\(\)"):
        store.loc["IBM", "KO"] = 1


# ---- what fails --------------------------------------------------------------------------------------------


@every_store
@cases.each(
    ("labels", "key", "error", "message"),
    [
        (LABELS, "APPL", KeyError, "no row has the label 'APPL': did you mean 'AAPL'?"),
        (LABELS, "ibm", KeyError, "no row has the label 'ibm': did you mean 'IBM'?"),
        (LABELS, ("IBM", "?"), KeyError, "no row has the label '?': there are 'AAPL', 'MSFT', 'IBM', ..."),
        (LABELS, ["IBM", "msft"], KeyError, "no row has the label 'msft': did you mean 'MSFT'?"),
        (LABELS, slice("IBM", "AAP"), KeyError, "no row has the label 'AAP': did you mean 'AAPL'?"),
        (
            LABELS,
            3,
            KeyError,
            "no row has the label 3: labels are no numbers here, and S[i, j] takes positions",
        ),
        (LABELS, " KO ", KeyError, "no row has the label ' KO ': did you mean 'KO'?"),
        ((1, 2, 4, 8, 16), "8", KeyError, "no row has the label '8': did you mean 8?"),
        (("1", "2", "4", "8", "16"), 16, KeyError, "no row has the label 16: did you mean '16'?"),
        ((1, 2, 4, 8, 16), 7, KeyError, "no row has the label 7: did you mean 8?"),
        (TUPLES, ("x", 3), KeyError, "no row has the label 3"),
        (list("abcab"), "b", KeyError, "the label 'b' is at 1 and at 4: index by places instead"),
        (
            list("abaaa"),
            ["b", "a"],
            KeyError,
            "the label 'a' is at 0 and at 2 and at 3, ...: index by places",
        ),
        (list("abcab"), slice("a", "c"), KeyError, "the label 'a' is at 0 and at 3"),
        (LABELS, ("IBM", "KO", "XOM"), IndexError, "a matrix has 2 axes, but 3 were indexed"),
        (LABELS, [True, False], IndexError, "a mask has 2 truth values, but there are 5 rows"),
        (LABELS, slice("KO", "IBM", -1), IndexError, "a slice of labels has a positive step, not -1"),
        (LABELS, ["IBM", ["KO"]], KeyError, "no row has the label ['KO']: did you mean 'KO'?"),
        (LABELS, {"IBM"}, TypeError, "a set is no index, for it has no order: pass a list of labels"),
        (LABELS, [["IBM"], ["KO"]], KeyError, "no row has the label ['IBM']: did you mean 'IBM'?"),
        (
            [[1], [2], [3], [4], [5]],
            "a",
            TypeError,
            "rows cannot be looked up by labels without a hash: take S[i, j]",
        ),
        (
            None,
            "a",
            KeyError,
            "there are no labels for 'a': S[i, j] takes positions, and S.with_labels(names) has some",
        ),
    ],
    ids=str,
)
def test_what_names_nothing_is_said(make, labels, key, error, message):
    with pytest.raises(error, match=re.escape(message)):
        made(make, labels).loc[key]


@every_store
def test_a_label_that_stands_once_is_found_beside_those_that_repeat(make):
    assert made(make, list("abcab")).loc["c", "c"] == FULL[2, 2]


@every_store
def test_without_labels_an_index_is_as_numpys(make):
    with pytest.raises(IndexError, match="there are no labels to find 'a' by"):
        made(make, None)["a"]
    assert made(make, None)[1, 2] == FULL[1, 2]


@every_store
def test_no_rows_have_no_labels(make):
    store = make(np.zeros((0, 0)), "symmetric", labels=[])
    assert store.loc[:].shape == (0, 0) and store.loc[[]].shape == (0, 0)
    with pytest.raises(KeyError, match="no row has the label 'a'"):
        store.loc["a"]


def test_an_indexer_says_what_it_is_of():
    assert (
        repr(vech.Packed(np.zeros(3)).loc)
        == "Packed(n=2, dtype=float64, kind='symmetric', layout='vech').loc"
    )


# ---- other labels ------------------------------------------------------------------------------------------


@every_store
def test_rows_get_other_labels(make):
    store = made(make)
    for names, found in (
        ("vwxyz", tuple("vwxyz")),
        (np.arange(5), (0, 1, 2, 3, 4)),
        (str.lower, ("aapl", "msft", "ibm", "xom", "ko")),
        ({"KO": "Coke", "IBM": 3}, ("AAPL", "MSFT", 3, "XOM", "Coke")),
        (None, None),
    ):
        other = store.with_labels(names)
        assert (other.labels, other.kind, other.layout if hasattr(other, "layout") else None) == (
            found,
            store.kind,
            store.layout if hasattr(store, "layout") else None,
        )
        assert_same_bits(other.expand(), store.expand())
    assert store.labels == LABELS
    assert made(make, TUPLES).with_labels(lambda label: f"{label[0]}{label[1]}").labels[-1] == "z1"


@every_store
def test_other_labels_must_fit(make):
    store = made(make)
    with pytest.raises(ValueError, match="there are 2 labels for 5 rows"):
        store.with_labels("ab")
    with pytest.raises(KeyError, match="no label is 'GE', so it cannot become 'General'"):
        store.with_labels({"GE": "General"})
    for names, what in (({0: "a"}, "mapping"), (str, "function")):
        message = f"a {what} changes labels, and this store has none: with_labels takes a sequence of 5"
        with pytest.raises(ValueError, match=message):
            made(make, None).with_labels(names)


@pytest.mark.parametrize("labels", [set("abc"), frozenset("abc"), {0: "a", 1: "b", 2: "c"}])
def test_what_has_no_order_or_two_sides_is_no_labels(labels):
    name = type(labels).__name__
    says = "pass a list, one label for each row"
    message = (
        f"labels is a {name}: {says}, of its keys" if name == "dict" else f"labels is a {name}, .*: {says}"
    )
    S = vech.Packed(np.arange(6.0), labels="xyz")
    made = [
        lambda: vech.Packed(np.arange(6.0), labels=labels),
        lambda: vech.SparseHalf.from_half(np.arange(6.0), labels=labels),
        lambda: vech.cluster.cophenetic(vech.cluster.linkage(np.ones((3, 3)) - np.eye(3)), labels=labels),
        lambda: vech.pairwise.from_blocks(lambda rows, columns: 0, 3, dtype="f8", labels=labels),
    ]
    for make in made if name == "dict" else [*made, lambda: S.with_labels(labels)]:
        with pytest.raises(TypeError, match=message):
            make()
    assert vech.Packed(np.arange(6.0), labels=dict.fromkeys("abc").keys()).labels == ("a", "b", "c")


def test_a_series_in_another_order_is_no_new_labels():
    pandas = pytest.importorskip("pandas")
    store = made(SOME["packed-vech"])
    names = pandas.Series(list("edcba"), index=LABELS[::-1])
    message = (
        "row 0 of S is 'AAPL', and of labels 'KO': labels.loc[list(S.labels)] has the order of S, "
        "and list(labels) goes by position"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        store.with_labels(names)
    assert store.with_labels(names.loc[list(store.labels)]).labels == tuple("abcde")
    assert store.with_labels(list(names)).labels == tuple("edcba")
    assert store.with_labels(names.reset_index(drop=True)).labels == tuple("edcba")
    assert store.with_labels(None).with_labels(names).labels == tuple("edcba")


def test_far_more_rows_than_numbers_lose_labels_without_memory():
    far = vech.SparseHalf.from_coo([2_999_999_999], [0], [1.0], 3_000_000_000, use="lower")
    assert far.with_labels(None)[0, 2_999_999_999] == 1


@pytest.mark.parametrize("give", ["with_labels", "Packed", "from_blocks", "to_newick"])
def test_a_mask_is_refused(give):
    S = vech.Packed(np.arange(3.0), "condensed")
    labels = np.ma.masked_array(["a", "b", "c"], [False, True, False])
    calls = {
        "with_labels": lambda: S.with_labels(labels),
        "Packed": lambda: vech.Packed(S.half, "condensed", labels=labels),
        "from_blocks": lambda: vech.pairwise.from_blocks(S.block, 3, dtype=float, labels=labels),
        "to_newick": lambda: vech.cluster.to_newick(vech.cluster.linkage(S), labels),
    }
    with pytest.raises(TypeError, match="labels is a masked array, whose mask would be lost"):
        calls[give]()
