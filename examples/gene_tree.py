"""
The tree of a gene
==================

Which animals are related? Interleukin 6 of seven animals, aligned, as the package scikit-bio ships it with
its tests. What counts is how often two sequences differ by a transition (A for G, C for T) or by a
transversion (all else), of the sites at which both have a base; Kimura's formula (1980) makes an
evolutionary distance of these two shares. Average linkage of the distances is UPGMA, the oldest way to a
tree of them.

You learn: a full matrix into a condensed half with names, a tree, its clusters, how well it fits, Newick's
text, and a heatmap with the tree above it.
"""

import importlib.resources

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    import skbio  # noqa: F401  (for its data)
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-bio matplotlib") from None

# %%
# The alignment: a row of bases for each animal.

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


names, sequences = alignment()

# %%
# Kimura's distances, substitutions a site, each pair once.


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


D = distances(names, sequences)
print(f"{D.n} animals, {sequences.shape[1]} sites of interleukin 6\n{D}")

# %%
# The tree joins what is nearest, again and again.

Z = vech.cluster.linkage(D, "average")
for left, right, height, size in Z:
    print(f"  {height:.3f}  joins {int(left)} and {int(right)}: {int(size)} animals")
fit = vech.cluster.cophenetic_correlation(Z, D)
print(f"distances along the tree follow these with a correlation of {fit:.4f}")

# %%
# Cut into three clusters, and as text for programs that draw trees.

three = vech.cluster.cut(Z, 3)
for cluster in range(3):
    print(f"cluster {cluster}: {', '.join(np.array(names)[three == cluster])}")
print(vech.cluster.to_newick(Z, D.labels))

# %%
# The distances, in the order of the tree.

vech.plot.heatmap(D, order="cluster", method="average", title="Interleukin 6")
plt.show()

# %%
# Next: examples/species_map.py, distances as a map; docs/how-do-i/geneticist.md
