"""
Regions of a photograph
=======================

From every pixel a walker sets out to its neighbours, more readily to those of a like colour. Which of the
marked regions does it meet first? The probabilities x solve ``L_UU x = -L_UM marks`` for the pixels U that
are not marked: L. Grady, "Random walks for image segmentation", IEEE TPAMI 28(11), 2006. L is held as half
a matrix, three numbers a pixel instead of five.

You learn: the Laplacian of an image as a sparse half, a part of it by index, its products and solutions.
"""

import numpy as np

import vech
from vech import linalg

try:
    import matplotlib.pyplot as plt
    from sklearn.datasets import load_sample_image
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib pillow") from None

# %%
# The photograph, and what is marked of it.

MARKS = {  # rows and columns, as shares of the picture
    "air": ((0.01, 0.06), (0.02, 0.98)),
    "temple": ((0.28, 0.78), (0.20, 0.44)),
    "trees": ((0.90, 0.99), (0.03, 0.98)),
}


def photograph(step=5):
    """Every so many pixels of the temple that scikit-learn ships, colours from 0 to 1."""
    return load_sample_image("china.jpg")[::step, ::step] / 255.0


def marks(shape):
    """For each pixel the number of its mark, or -1."""
    found = np.full(shape, -1)
    for number, box in enumerate(MARKS.values()):
        found[tuple(slice(int(a * n), int(b * n)) for (a, b), n in zip(box, shape, strict=True))] = number
    return found


picture = photograph()
marked = marks(picture.shape[:2])

# %%
# How readily a walker goes from each pixel to its neighbours.

BETA = 100.0  # for colours from 0 to 1
LEAST = 1e-6  # the alikeness of any neighbours: a speck may be like none of its own


def alikeness(picture):
    """The Laplacian of a picture, of which each pixel holds on to its neighbours by a thread at least."""
    return vech.images.laplacian(picture, BETA, channels=True) + LEAST * vech.images.laplacian(
        picture.shape[:2]
    )


L = alikeness(picture)
print(f"{L.n:,} pixels, {L.nnz:,} numbers stored, {L.nbytes / 2**20:.2f} MiB")
L

# %%
# One sparse solution gives the probabilities of all three regions.


def walk(L, marked):
    """The probabilities of each mark, shape (pixels, marks)."""
    unknown, known = np.flatnonzero(marked < 0), np.flatnonzero(marked >= 0)
    reached = np.eye(marked.max() + 1)[marked[known]]
    certain = np.zeros((L.n, reached.shape[1]))
    certain[known] = reached
    probabilities = certain.copy()
    pull = -(L @ certain)[unknown]
    probabilities[unknown] = linalg.solve(L.submatrix(unknown), pull)
    return probabilities


probabilities = walk(L, marked.ravel())
labels, colours = probabilities.argmax(axis=1), picture.reshape(-1, 3)
print("region    marked   found  certainty   red green  blue")
for number, name in enumerate(MARKS):
    found = labels == number
    certainty = probabilities[found, number].mean()
    mean = colours[found].mean(axis=0)
    print(
        f"{name:8} {(marked == number).sum():7} {found.mean():7.1%} {certainty:10.3f} "
        + " ".join(f"{c:5.2f}" for c in mean)
    )

# %%
# What was marked, and what was found.

_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.imshow(picture)
left.imshow(np.ma.masked_less(marked, 0), cmap="Set1", alpha=0.6, vmax=8)
left.set_title("marked")
right.imshow(picture)
right.imshow(labels.reshape(marked.shape), cmap="Set1", alpha=0.5, vmax=8)
right.set_title("found")
for axes in (left, right):
    axes.set_axis_off()
plt.show()

# %%
# Next: examples/patch_recovery.py, an image of which half is lost; docs/sparse.md
