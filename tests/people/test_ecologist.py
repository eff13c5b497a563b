"""Sites and the species seen there: distances, a map, a tree, and whether near places have like species."""

import numpy as np
import pandas
import pytest

import vech

SITES = [f"site {k}" for k in range(12)]


@pytest.fixture(autouse=True)
def tables(folder):
    """Counts of species along a gradient, where the sites are, and what was noted of them."""
    rng = np.random.default_rng(0)
    along = np.linspace(0, 10, 12)
    likes = np.linspace(-1, 11, 9)
    counts = rng.poisson(20 * np.exp(-((along[:, None] - likes) ** 2) / 8))
    pandas.DataFrame(counts, SITES, [f"species {k}" for k in range(9)]).to_csv("counts.csv")
    places = pandas.DataFrame({"lat": 0.8 + along / 1000, "lon": 0.1 + along / 900}, SITES)
    places.to_csv("places.csv")
    soil = ["sand", "sand", "loam", "loam", "clay", None, "clay", "loam", "sand", "clay", "clay", "peat"]
    notes = pandas.DataFrame({"soil": soil, "depth": along**2, "grazed": along > 5}, SITES)
    notes.loc["site 3", "depth"] = np.nan
    notes.to_csv("notes.csv")


def table(name):
    return pandas.read_csv(name, index_col=0)


def test_bray_curtis_to_a_map():
    counts = table("counts.csv")
    D = vech.pairwise.distances(counts, "braycurtis")
    found = vech.embedding.pcoa(D, 2)

    x = counts.to_numpy()
    apart = np.abs(x[:, None] - x).sum(axis=2) / (x[:, None] + x).sum(axis=2)
    np.testing.assert_allclose(D.expand(), apart, rtol=1e-12)
    centre = np.eye(12) - 1 / 12
    values = np.linalg.eigvalsh(-centre @ apart**2 @ centre / 2)
    np.testing.assert_allclose(found.eigenvalues, values[:-3:-1], rtol=1e-10)
    assert found.smallest_eigenvalue == pytest.approx(values[0]) and values[0] < 0
    axis = found.to_frame()["PC1"]
    assert list(axis.index) == SITES
    assert abs(np.corrcoef(axis, np.arange(12))[0, 1]) > 0.95  # the gradient is found again


def test_a_tree_of_sites():
    D = vech.pairwise.distances(table("counts.csv"), "braycurtis")
    Z = vech.cluster.linkage(D, "average")
    text = vech.cluster.to_newick(Z, D.labels)
    assert text.endswith(";") and all(f"'{site}'" in text for site in SITES)
    assert set(vech.cluster.cut(Z, 3)) == {0, 1, 2}


def test_near_places_have_like_species():
    D = vech.pairwise.distances(table("counts.csv"), "braycurtis")
    far = vech.pairwise.distances(table("places.csv"), "haversine")
    found = vech.pairwise.mantel(D, far, method="spearman", permutations=199, seed=1)
    assert found.statistic > 0.8 and found.pvalue == 1 / 200
    shuffled = far.permute(list(reversed(far.labels)))
    with pytest.raises(
        ValueError, match=r"row 0 of S is 'site 0', and of T 'site 11': T.permute\(S.labels\)"
    ):
        vech.pairwise.mantel(D, shuffled)


def test_notes_of_every_sort():
    notes = table("notes.csv")
    with pytest.raises(ValueError, match=r"X holds nothing in row 5 \('site 5'\), column 0 \('soil'\)"):
        vech.pairwise.distances(notes, "gower")
    D = vech.pairwise.distances(notes, "gower", missing="pairwise")
    assert D["site 0", "site 1"] == pytest.approx((1 / 121) / 3)
    assert D["site 5", "site 11"] == pytest.approx((1 - (5 / 11) ** 2 + 1) / 2)
    assert D["site 0", "site 11"] == 1
    vech.embedding.mds(D, 2, init="classical_mds")
