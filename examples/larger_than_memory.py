"""
Distances larger than memory
============================

Patches of a photograph, each against each. Here they are few enough to be quick; of 200 000 the same lines
make a half of 80 GB on a disk, in memory for one band of it.

You learn: a half that is written to a file while it is made, one band after the other; reading it without
loading it; nearest neighbours and single numbers out of the file; a store of tiles that many processes can
fill; and what is done when a run is killed.
"""

import tempfile
from pathlib import Path

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    from sklearn.datasets import load_sample_image
    from sklearn.feature_extraction.image import extract_patches_2d
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib pillow") from None

# %%
# 3840 patches of 8 x 8 pixels, in float32.

COUNT, SIDE = 3840, 8


def patches(count=COUNT):
    """Patches of the flower that scikit-learn ships, each with mean 0, one a row."""
    image = load_sample_image("flower.jpg").mean(axis=2) / 255
    found = extract_patches_2d(image, (SIDE, SIDE), max_patches=count, random_state=0)
    rows = found.reshape(count, -1).astype(np.float32)
    return rows - rows.mean(axis=1, keepdims=True)


X = patches()
temporary = tempfile.TemporaryDirectory()  # which goes when this program ends
folder = Path(temporary.name)

# %%
# All distances, into a file. Killed, the run goes on with ``resume=True``: beside the file a journal says
# which bands are done.

vech.pairwise.distances(X, out=folder / "d.npy", resume=True)
size = (folder / "d.npy").stat().st_size
print(f"{size / 2**20:.1f} MiB in the file; a square would take {4 * COUNT**2 / 2**20:.1f} MiB")

# %%
# Read again, large files stay on the disk: nothing is loaded but what is asked for.

D = vech.read(folder / "d.npy")
print(f"patch 0 and 1: {D[0, 1]:.3f}; least and mean of a row: {np.sort(D[7])[1]:.3f}, {D[7].mean():.3f}")
D

# %%
# The nearest of every patch, in one pass over the file.

nearest = vech.neighbors.nearest(D, 5)
print(f"the median patch is {np.median(nearest.values[:, 0]):.3f} from its nearest")

# %%
# The same as a store of tiles: a Zarr group, each tile written once, by whoever is first (``executor=``).

T = vech.pairwise.distances(X, out=folder / "d.zarr")
print(
    f"{T.grid * (T.grid + 1) // 2} tiles of {T.tile} rows, {T.nbytes / 2**20:.1f} MiB, missing: {T.missing()}"
)
same = np.abs(T.block(slice(0, 300), slice(0, 300)) - D.block(slice(0, 300), slice(0, 300))).max()
print(f"it differs from the file by at most {same:.1f}")
T

# %%
# Five patches, and the nearest of each.

_, places = plt.subplots(5, 6, figsize=(6, 5.2), layout="constrained")
asked = np.argsort(-np.linalg.norm(X, axis=1))[:200:40]
for axes, row in zip(places, asked, strict=True):
    for place, k in zip(axes, (row, *nearest.indices[row]), strict=True):
        place.imshow(X[k].reshape(SIDE, SIDE), cmap="gray", vmin=X[row].min(), vmax=X[row].max())
        place.set(xticks=[], yticks=[], title="patch" if k == row else "")
plt.show()

# %%
# Next: examples/sentence_clusters.py, clusters of distances; docs/scale.md
