"""What follows from a tree: distances along it, clusters, text that other programs read."""

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

import vech
from vech.cluster import cophenetic, cophenetic_correlation, cut, linkage, to_newick

D = vech.Packed(np.array([2.0, 8, 10, 6, 12, 3]), "condensed", labels=["a", "b", "c", "d"])
Z = linkage(D)  # (a b) at 2, (c d) at 3, all at 9


def points(n, seed=0):
    return vech.Packed(pdist(np.random.default_rng(seed).normal(size=(n, 3))), "condensed")


def members(links):
    """The rows below each node."""
    n = len(links) + 1
    found = [{i} for i in range(n)]
    for left, right in links[:, :2].astype(int):
        found.append(found[left] | found[right])
    return found


def test_distances_along_a_tree():
    links = linkage(points(20))
    below = members(links)[20:]
    full = np.zeros((20, 20))
    for i in range(20):
        for j in range(i):
            full[i, j] = full[j, i] = next(links[k, 2] for k, rows in enumerate(below) if {i, j} <= rows)
    found = cophenetic(links, labels=range(20))
    np.testing.assert_array_equal(found.expand(), full)
    assert found.labels == tuple(range(20)) and found.layout.name == "condensed"
    assert cophenetic(np.empty((0, 4))).n == 1 and cophenetic(Z).labels is None


@pytest.mark.parametrize("method", ["single", "average", "ward"])
def test_how_well_a_tree_keeps_distances(method):
    S = points(30)
    links = linkage(S, method)
    wanted = hierarchy.cophenet(links, S.half)[0]
    assert cophenetic_correlation(links, S) == pytest.approx(wanted, rel=1e-12)
    assert cophenetic_correlation(links, S.to_packed("lapack-upper").expand()) == pytest.approx(
        wanted, rel=1e-12
    )
    huge = vech.Packed(S.half * 1e200, "condensed")
    assert cophenetic_correlation(linkage(huge, method), huge) == pytest.approx(wanted, rel=1e-12)
    tree = cophenetic(linkage(S, "average"))
    assert cophenetic_correlation(linkage(tree), tree) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("method", ["average", "centroid"])
def test_clusters_when_so_many_are_left(method):
    links = linkage(points(40), method)
    nodes = members(links)
    for k in range(1, 41):
        found = cut(links, k)
        gone = set(links[: 40 - k, :2].ravel().astype(int))
        wanted = [nodes[node] for node in range(80 - k) if node not in gone]
        assert sorted(map(min, wanted)) == [int(np.argmax(found == c)) for c in range(k)]
        assert sorted(map(sorted, wanted)) == sorted(np.flatnonzero(found == c).tolist() for c in range(k))


def test_there_are_as_many_clusters_as_asked_for_where_rows_are_alike():
    links = linkage(np.zeros((6, 6)))
    for k in range(1, 7):
        assert list(dict.fromkeys(cut(links, k).tolist())) == list(range(k))
    assert cut(np.empty((0, 4)), 1).tolist() == [0]


def test_a_tree_in_newicks_format():
    assert to_newick(Z, D.labels) == "((a:1.0,b:1.0):3.5,(c:1.5,d:1.5):3.0);"
    assert to_newick(Z) == "((0:1.0,1:1.0):3.5,(2:1.5,3:1.5):3.0);"
    assert to_newick(np.empty((0, 4)), ["alone"]) == "alone;"
    lower = linkage(vech.Packed(np.array([2.0, 2, 2]), "condensed"), "centroid")
    assert to_newick(lower).startswith("(2:0.866") and to_newick(lower).endswith(":-0.1339745962155614);")


NAMES = ["plain", "o'hara jr", "a_b", "x:y", "(1)", "nobody", "[c];,", "Ångström", 'say "so"']


def test_names_are_in_quotes_where_newick_needs_them():
    quoted = [
        "plain",
        "'o''hara jr'",
        "'a_b'",
        "'x:y'",
        "'(1)'",
        "nobody",
        "'[c];,'",
        "Ångström",
        "'say \"so\"'",
    ]
    text = to_newick(linkage(np.zeros((9, 9))), NAMES)
    for name in quoted:
        assert f"({name}:" in text or f",{name}:" in text
    assert to_newick(Z, [("f", 1), ("f", 2), 3, "c"]).startswith("(('f 1':1.0,'f 2':1.0)")


@pytest.mark.slow  # to import
def test_scikit_bio_reads_the_tree_and_its_distances():
    skbio = pytest.importorskip("skbio", reason="it reads Newick's format")
    S = points(len(NAMES)).with_labels(NAMES)
    links = linkage(S)
    tree = skbio.TreeNode.read([to_newick(links, S.labels)])
    apart = tree.cophenet() if hasattr(tree, "cophenet") else tree.tip_tip_distances()
    found = apart.filter(S.labels).data
    np.testing.assert_allclose(found, cophenetic(links).expand(), atol=1e-12)


def test_deep_trees_and_many_rows():
    n = 20_000
    chain = np.array([[0, 1, 1, 2], *([n + k, k + 2, k + 2, k + 3] for k in range(n - 2))], float)
    chain[:, :2].sort(axis=1)
    text = to_newick(chain)
    assert text.count(",") == n - 1 and text.startswith("(" + f"{n - 1}:")
    assert len(set(cut(chain, 1000).tolist())) == 1000


WRONG = {
    "shape": (
        lambda: cut(np.ones((3, 3)), 2),
        ValueError,
        r"Z has shape \(3, 3\), and links have \(n - 1, 4\)",
    ),
    "nan": (lambda: to_newick(Z * [1, 1, np.nan, 1]), ValueError, r"Z\[0, 2\] is nan: links are finite"),
    "text": (lambda: cut("links", 2), TypeError, "Z must be a NumPy array"),
    "k": (lambda: cut(Z, 5), ValueError, "k is 5, and Z joins 4 rows: there are at most 4 clusters"),
    "none": (lambda: cut(Z, 0), ValueError, "k is 0, and must be at least 1"),
    "half": (lambda: cut(Z, 2.5), TypeError, "k must be an integer, not 2.5"),
    "labels": (lambda: to_newick(Z, ["a"]), ValueError, "there are 1 labels for 4 rows"),
    "number": (
        lambda: to_newick(Z, 4),
        TypeError,
        "labels must be a sequence, one label for each row, not 4",
    ),
    "empty": (
        lambda: to_newick(Z, ["a", "b", "", "c"]),
        ValueError,
        "row 2 is '', and leaves of a tree need names: pass labels= that have one",
    ),
    "set": (
        lambda: to_newick(Z, {"a", "b", "c", "d"}),
        TypeError,
        "labels is a set, which has no order: pass a list, one label for each row",
    ),
    **{
        f"complex {task.__name__}": (
            lambda task=task: task(Z * (1 + 1j)),
            TypeError,
            "Z must hold real numbers, not complex128",
        )
        for task in (to_newick, cophenetic, lambda links: cut(links, 2))
    },
    "dates": (
        lambda: cut(Z.astype("m8[s]"), 2),
        TypeError,
        r"Z must hold real numbers, not timedelta64\[s\]",
    ),
    "store": (lambda: to_newick(Z, D), TypeError, r"labels is a Packed: pass its \.labels"),
    "alike": (
        lambda: to_newick(Z, ["a", "b", "c", "a"]),
        ValueError,
        "rows 0 and 3 are both 'a', and leaves of a tree need names that differ: pass labels= that do",
    ),
    "side": (
        lambda: cophenetic_correlation(Z, points(5)),
        ValueError,
        "Z joins 4 rows, and S has 5: take the S that Z was made of",
    ),
    "equal": (
        lambda: cophenetic_correlation(linkage(1 - np.eye(4)), 1 - np.eye(4)),
        ValueError,
        "Z has no two distances that differ, without which there is no correlation",
    ),
    "equal S": (
        lambda: cophenetic_correlation(Z, 1 - np.eye(4)),
        ValueError,
        "S has no two distances that differ",
    ),
    "names": (lambda: cophenetic(Z, labels="abc"), ValueError, "labels"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_came_and_what_fits(name):
    call, error, said = WRONG[name]
    with pytest.raises(error, match=said):
        call()


NO_LINKS = {
    "beyond memory": (
        [[0, 1e6, 1, 2]],
        r"Z\[0, 1\] is 1e\+06: link 0 joins two of the 2 rows and the 0 links",
    ),
    "beyond": ([[0, 99, 1, 2]], r"Z\[0, 1\] is 99: link 0 .*, by an integer from 0 to 1"),
    "itself": ([[0, 1, 1, 2], [2, 4, 2, 3]], r"Z\[1, 1\] is 4: link 1 .* from 0 to 3"),
    "later": ([[0, 4, 1, 3], [1, 2, 2, 2]], r"Z\[0, 1\] is 4: link 0 .* from 0 to 2"),
    "negative": ([[-1, 1, 1, 2]], r"Z\[0, 0\] is -1: link 0 "),
    "fraction": ([[0, 1, 1, 2], [2.5, 3, 2, 3]], r"Z\[1, 0\] is 2\.5: link 1 .* by an integer"),
    "twice": (
        [[0, 1, 1, 2], [1, 3, 2, 3]],
        r"Z\[1, 0\] is 1, which link 0 joins: each row and link is joined",
    ),
    "with itself": ([[1, 1, 1, 2]], r"Z\[0, 1\] is 1, which link 0 joins"),
    "link twice": ([[0, 1, 1, 2], [2, 4, 2, 3], [3, 4, 3, 4]], r"Z\[2, 1\] is 4, which link 1 joins"),
    "height": ([[0, 1, 1, 2], [2, 3, -2, 3]], r"Z\[1, 2\] is -2: heights of links are distances, from 0"),
    "size": ([[0, 1, 1, 2], [2, 3, 2, 2]], r"Z\[1, 3\] is 2, and link 1 has 3 rows"),
    "ones": (np.ones((3, 4)), r"Z\[0, 1\] is 1, which link 0 joins"),
}
TAKERS = {
    "cophenetic": cophenetic,
    "correlation": lambda links: cophenetic_correlation(links, 1 - np.eye(len(links) + 1)),
    "cut": lambda links: cut(links, 1),
    "newick": to_newick,
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("name", NO_LINKS)
def test_a_table_that_is_no_tree_is_refused_by_its_row_wherever_links_are_taken(name, taker):
    rows, said = NO_LINKS[name]
    with pytest.raises(ValueError, match=said):
        TAKERS[taker](np.array(rows, float))
