"""
Poisson's equation, and a drum
==============================

``-u_xx - u_yy = f`` in the unit square, u = 0 around it, on half a matrix. With ``u = sin(pi x) sin(2 pi
y)`` the right side is known, so the error of five points is, and it falls with h^2. The lowest vibrations
of the same membrane are the smallest eigenvalues, ``pi^2 (j^2 + k^2)`` in the limit.

You learn: a sparse half of a grid, its solution by a direct factor and step by step, its smallest
eigenvalues and their vectors.
"""

import numpy as np

import vech
from vech import linalg

try:
    import matplotlib.pyplot as plt
except ImportError as error:
    raise SystemExit(f"{error}: pip install matplotlib") from None

# %%
# The operator on the points of a grid: three numbers a point instead of five.


def square(m):
    """x and y of the m x m points inside, and their distance h."""
    h = 1 / (m + 1)
    points = h * np.arange(1, m + 1)
    return points[:, None], points[None, :], h


def membrane(m):
    """The operator -u_xx - u_yy on m x m points: half of it."""
    return vech.images.poisson((m, m)) / square(m)[2] ** 2


membrane(31)

# %%
# With each halving of h the error is a quarter; a direct factor and conjugate gradients agree.


def solution(m, **options):
    """The computed u and the true one."""
    x, y, _ = square(m)
    true = np.sin(np.pi * x) * np.sin(2 * np.pi * y)
    u = linalg.solve(membrane(m), 5 * np.pi**2 * true.ravel(), **options)
    return u.reshape(m, m), true


print("points     stored      full  largest error  error / h^2  cg differs by")
for m in (15, 31, 63, 127):
    S = membrane(m)
    u, true = solution(m)
    stepwise, _ = solution(m, solver="cg")
    error = np.abs(u - true).max()
    full = S.to_csr().nnz
    print(
        f"{m:3}^2 {S.nnz:12,} {full:9,} {error:14.2e} {error * (m + 1) ** 2:12.4f} "
        f"{np.abs(stepwise - u).max():14.1e}"
    )

# %%
# The lowest vibrations, in units of pi^2.


def vibrations(m, k=6):
    """The lowest k eigenvalues, in units of pi^2."""
    values, _ = linalg.eigsh(membrane(m), k, sigma=0)
    return values / np.pi**2


print("vibration  computed  exact")
for computed, exact in zip(vibrations(63), (2, 5, 5, 8, 10, 10), strict=True):
    print(f"{'pi^2 x':>9} {computed:9.4f} {exact:6}")

# %%
# The solution, and how the drum moves: vibrations of one frequency may be mixed.

m = 63
_, vectors = linalg.eigsh(membrane(m), 6, sigma=0)
_, places = plt.subplots(1, 5, figsize=(11, 2.6), layout="constrained")
for axes, wave, name in zip(
    places, (solution(m)[0], *vectors.T[[0, 1, 3, 4]].reshape(-1, m, m)), ("u", 1, 2, 4, 5), strict=True
):
    axes.imshow(wave, cmap="RdBu", vmin=-np.abs(wave).max(), vmax=np.abs(wave).max())
    axes.set(xticks=[], yticks=[], title=name if name == "u" else f"vibration {name}")
plt.show()

# %%
# Next: examples/image_segmentation.py, the same matrix of a photograph; docs/sparse.md
