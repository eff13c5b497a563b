"""Which animals are related: a tree of one gene, from an alignment to a picture.

Interleukin 6 of seven animals, aligned, as the package scikit-bio ships it with its tests. What counts is how
often two sequences differ by a transition (A for G, C for T) or by a transversion (all else), of the sites at
which both have a base; Kimura's formula (1980) makes an evolutionary distance of these two shares. Average
linkage of the distances is UPGMA, the oldest way to a tree of them.

Run: ``python examples/gene_tree.py``, with scikit-bio (``pip install scikit-bio``); ``main("tree.png")``
draws the distances, with the tree above them.
"""

import importlib.resources

import numpy as np

import vech

BASES = {"A": 0, "G": 1, "C": 2, "T": 3}  # purines and pyrimidines side by side: a pair // 2 is the same


def alignment():
    """The names, and their sequences as rows of bases, -1 for a gap."""
    folder = importlib.resources.files("skbio.alignment.tests") / "data"
    names, rows = [], []
    for record in (folder / "il6.nucl.aln").read_text().split(">")[1:]:
        name, *lines = record.split()
        names.append(name)
        rows.append([BASES.get(base, -1) for base in "".join(lines)])
    return names, np.array(rows)


def kimura(left, right):
    """Kimura's distances between each row on the left and each on the right."""
    left, right = left[:, None, :], right[None, :, :]
    both = (left >= 0) & (right >= 0)
    differ = both & (left != right)
    transition = differ & (left // 2 == right // 2)
    p, q = ((part.sum(axis=2) / both.sum(axis=2)) for part in (transition, differ & ~transition))
    return -np.log((1 - 2 * p - q) * np.sqrt(1 - 2 * q)) / 2


def distances(names, sequences):
    """Their distances, each once."""
    full = np.abs(kimura(sequences, sequences))  # of the same: -0
    return vech.Packed.from_full(full, "condensed", labels=names)


def main(picture=None):
    names, sequences = alignment()
    D = distances(names, sequences)
    print(f"{D.n} animals, {sequences.shape[1]} sites of interleukin 6; substitutions a site:\n{D}\n")

    Z = vech.cluster.linkage(D, "average")
    for left, right, height, size in Z:
        print(f"  {height:.3f}  joins {int(left)} and {int(right)}: {int(size)} animals")
    fit = vech.cluster.cophenetic_correlation(Z, D)
    print(f"\ndistances along the tree follow these with a correlation of {fit:.4f}")
    three = vech.cluster.cut(Z, 3)
    for cluster in range(3):
        print(f"cluster {cluster}: {', '.join(np.array(names)[three == cluster])}")
    print(f"\n{vech.cluster.to_newick(Z, D.labels)}")
    if picture:
        drawn = vech.plot.heatmap(D, order="cluster", method="average", title="Interleukin 6")
        drawn.axes.figure.savefig(picture)
    return D, Z


if __name__ == "__main__":
    main()
