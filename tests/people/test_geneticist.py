"""What GCTA and PLINK wrote, with its people: some of them, a tree, and files for PHYLIP and R."""

import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

import vech

DATA = Path(__file__).parent.parent / "io" / "data"


@pytest.fixture(autouse=True)
def files(folder):
    """The set of --make-grm-bin, and --make-rel and --distance 1-ibs in text, of PLINK 1.9."""
    for pattern in ("plink19.grm.*", "plink19-text-triangle.rel*", "plink19-text.mdist*"):
        for file in DATA.glob(pattern):
            shutil.copy(file, folder)


def people(name):
    return [tuple(line.split()) for line in Path(name).read_text().splitlines()]


def test_a_kinship_with_its_people():
    kinship = vech.read("plink19.grm.bin")
    variants = vech.read("plink19.grm.N.bin")
    family = kinship.submatrix([("fam1", "person3"), ("fam0", "person0")])
    related = kinship.to_pairs().to_frame().query("value > -0.2")
    vech.write("family.grm.bin", family)

    names = people("plink19.grm.id")
    full = np.zeros((5, 5), "f4")
    full[np.tril_indices(5)] = np.fromfile("plink19.grm.bin", "<f4")
    full = np.maximum(np.tril(full), np.tril(full).T) + np.minimum(np.tril(full, -1), np.tril(full, -1).T)
    assert kinship.labels == variants.labels == tuple(names)
    np.testing.assert_array_equal(kinship.expand(), full)
    assert kinship.loc[("fam0", "person1"), ("fam2", "person4")] == full[1, 4]
    np.testing.assert_array_equal(family.expand(), full[np.ix_([3, 0], [3, 0])])
    assert list(zip(related.i, related.j, strict=True)) == [(names[1], names[4])]
    assert kinship.to_frame().loc[("fam1", "person2"), ("fam0", "person0")] == full[2, 0]
    assert people("family.grm.id") == [("fam1", "person3"), ("fam0", "person0")]
    np.testing.assert_array_equal(np.fromfile("family.grm.bin", "<f4"), [full[3, 3], full[0, 3], full[0, 0]])


def test_relationships_in_text():
    rel = vech.read("plink19-text-triangle.rel")
    rows = [line.split() for line in Path("plink19-text-triangle.rel").read_text().splitlines()]
    assert rel.labels == tuple(people("plink19-text-triangle.rel.id"))
    assert rel[("f1", "s3"), ("f0", "s2")] == float(rows[3][2])
    assert rel.layout == vech.as_layout("plink-rel-triangle")


def test_distances_to_a_tree_and_to_phylip():
    distances = vech.read("plink19-text.mdist")
    tree = linkage(distances.to_condensed(), "average")
    picture = vech.plot.heatmap(distances, order="cluster")
    distances = distances.with_labels("_".join)
    vech.write("people.phy", distances)
    vech.write("people.csv", distances)

    lines = Path("plink19-text.mdist").read_text().splitlines()
    full = np.zeros((5, 5))
    for i, line in enumerate(lines, 1):
        full[i, :i] = line.split()
    full += full.T
    np.testing.assert_array_equal(tree, linkage(squareform(full), "average"))
    assert cophenet(tree).shape == (10,)
    shown = [text.get_text() for text in picture.axes.get_yticklabels()]
    assert sorted(shown) == ["f0 s0", "f0 s2", "f0 s4", "f1 s1", "f1 s3"]
    names = ["f0_s0", "f1_s1", "f0_s2", "f1_s3", "f0_s4"]
    back = pandas.read_csv("people.csv", index_col=0)
    pandas.testing.assert_frame_equal(back, pandas.DataFrame(full, names, names))
    header, *rows = Path("people.phy").read_text().splitlines()
    assert (header.strip(), [row.split()[0] for row in rows]) == ("5", names)
    np.testing.assert_array_equal([row.split()[1:] for row in rows], full.astype(str))


def test_phylip_and_scikit_bio_read_the_names():
    skbio = pytest.importorskip("skbio", reason="it reads PHYLIP's files")
    distances = vech.read("plink19-text.mdist").with_labels("_".join)
    vech.write("people.phy", distances)
    theirs = skbio.DistanceMatrix.read("people.phy", format="phylip_dm")
    assert theirs.ids == distances.labels
    np.testing.assert_array_equal(theirs.data, distances.expand())


def test_the_same_on_the_command_line(shell):
    said = shell("vech info plink19.grm.bin plink19-text.mdist")
    assert "5 labels: fam0 person0, fam0 person1, fam1 person2" in said and "n=" not in said
    shell("vech convert plink19.grm.bin -o kinship.npz")
    shell("vech convert plink19-text.mdist -o people.phy --join-labels _")
    shell("vech convert people.phy -o people.tsv")
    shell("vech plot people.phy -o people.png --cluster")
    assert vech.read("kinship.npz").labels == tuple(people("plink19.grm.id"))
    table = pandas.read_csv("people.tsv", sep="\t", index_col=0)
    assert table.loc["f1_s3", "f0_s2"] == 0.447667 and list(table) == list(table.index)


def test_distances_to_a_map_and_a_tree_with_names():
    D = vech.read("plink19-text.mdist")
    found = vech.embedding.pcoa(D, 2)
    text = vech.cluster.to_newick(vech.cluster.linkage(D, "average"), ["_".join(name) for name in D.labels])

    full = D.expand()
    centre = np.eye(D.n) - 1 / D.n
    want = np.linalg.eigvalsh(-centre @ full**2 @ centre / 2)[:-3:-1]
    np.testing.assert_allclose(found.eigenvalues, want, rtol=1e-9)
    assert list(found.to_frame().index) == list(D.labels)
    assert all(name in text for name in map("_".join, D.labels))
