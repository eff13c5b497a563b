"""
Pixels that are lost
====================

Recovered from half a Gram matrix, by orthogonal matching pursuit. A patch of a photograph is a sum of few
cosines, the columns of D. Of the pixels that are left, ``y = A c`` with the rows A of D that are there; the
pursuit takes one cosine after the other, that which explains most of what is left, and fits again all it
has. It needs only ``A^T y`` and the Gram matrix ``A^T A``, held as a half: a row of it for each step (R.
Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using batch OMP",
2008). scikit-learn's ``orthogonal_mp_gram`` wants all of it.

You learn: a Gram matrix packed, submatrices and columns of a half, small systems solved by their factors.
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
# Four patches of a flower, and more cosines than a patch has pixels.

SIDE, ATOMS = 16, 10


def patches(side=SIDE):
    """Grey patches of a photograph that scikit-learn ships, and where they are."""
    grey = load_sample_image("flower.jpg").mean(axis=2) / 255
    for row, column in ((160, 300), (200, 340), (300, 60), (120, 250)):
        yield (row, column), grey[row : row + side, column : column + side]


def cosines(side=SIDE, frequencies=24):
    """Products of cosines along both axes, more than there are pixels, each of norm 1."""
    wave = np.cos(np.pi * np.outer(np.arange(side) + 0.5, np.arange(frequencies)) / frequencies)
    D = np.kron(wave, wave)
    return D / np.linalg.norm(D, axis=0)


D = cosines()

# %%
# The pursuit: each step takes a column of the Gram matrix, and a factor of the part that is chosen.


def pursue(gram, product, count):
    """At most so many coefficients c with ``gram c = product`` where they are not zero; the others are."""
    chosen = []
    c, explained = np.zeros(0), np.zeros(product.size)
    for _ in range(count):
        left = np.abs(product - explained)
        left[chosen] = 0
        best = int(left.argmax())
        if left[best] < 1e-10:
            break
        chosen.append(best)
        c = linalg.cholesky(gram.submatrix(chosen)).solve(product[chosen])
        explained = gram[:, chosen] @ c
    coefficients = np.zeros(product.size)
    coefficients[chosen] = c
    return coefficients


def recover(patch, seen, D, count=ATOMS):
    """The patch from the pixels seen, and the half that it took."""
    A, mean = D[seen.ravel()], patch[seen].mean()
    scale = np.linalg.norm(A, axis=0)
    A = A / scale
    gram = vech.Packed(vech.pack(A.T @ A))
    c = pursue(gram, A.T @ (patch[seen] - mean), count)
    return (mean + D @ (c / scale)).reshape(patch.shape), gram


# %%
# Half of the pixels lost, and found again.


def decibels(found, patch):
    """The peak signal-to-noise ratio of colours from 0 to 1."""
    return -10 * np.log10(np.mean((found - patch) ** 2))


rng = np.random.default_rng(0)
shown = []
print(f"patches of {SIDE} x {SIDE}, {D.shape[1]} cosines, half of the pixels lost\n")
print("row column  mean colour  recovered   half KiB  full KiB")
for (row, column), patch in patches():
    seen = rng.random(patch.shape) < 0.5
    found, gram = recover(patch, seen, D)
    mended = np.where(seen, patch, found)
    filled = np.where(seen, patch, patch[seen].mean())
    shown.append((patch, np.where(seen, patch, np.nan), mended))
    print(
        f"{row:3} {column:6} {decibels(filled, patch):9.1f} dB {decibels(mended, patch):8.1f} dB "
        f"{gram.nbytes / 1024:10.0f} {gram.n**2 * 8 / 1024:9.0f}"
    )

# %%
# As it was, what was left of it, and what came back.

_, rows = plt.subplots(3, len(shown), figsize=(7, 5.5), layout="constrained")
for place, images in enumerate(shown):
    for axes, image, name in zip(rows[:, place], images, ("as it was", "left", "recovered"), strict=True):
        axes.imshow(image, cmap="gray", vmin=images[0].min(), vmax=images[0].max())
        axes.set(xticks=[], yticks=[], facecolor="tab:red", ylabel=name if place == 0 else "")
plt.show()

# %%
# Next: examples/poisson.py, an equation on the points of a square; docs/linear-algebra.md
