"""
Functions that are told of in the same words
============================================

Which functions of SciPy are like each other? The documents are the docstrings that SciPy ships, one for each
public function. Their TF-IDF matrix is sparse, the matrix of their similarities is not: common words connect
nearly all pairs. `vech.pairwise.cosine` computes one triangle of it, and keeps what is above a threshold.

You learn: rows of a sparse matrix to similarities, a threshold while they are made, the most similar rows
of one row, the most similar pairs of all, and their picture.
"""

import importlib
import inspect

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    from sklearn.feature_extraction.text import TfidfVectorizer
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib") from None

MODULES = (
    *("cluster.hierarchy", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal"),
    *("sparse.csgraph", "sparse.linalg", "spatial.distance", "special", "stats"),
)
THRESHOLD = 0.2

# %%
# The documents, and one row of numbers for each: one column a word.


def documents():
    """Names and docstrings of these modules' functions, without distributions, which share one text."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"scipy.{name}")
        for function in module.__all__:
            described = getattr(module, function)
            text = inspect.getdoc(described)
            if text and len(text) > 400 and text not in found.values() and not hasattr(described, "rvs"):
                found[f"{name}.{function}"] = text
    return list(found), list(found.values())


def tfidf(texts):
    """One row a document, one column a word."""
    return TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english").fit_transform(texts)


names, texts = documents()
X = tfidf(texts)
print(f"{len(names)} documents, {X.shape[1]} words, {X.nnz / len(names):.1f} words a document")

# %%
# All cosines fill half a matrix; those above the threshold are a sparse half. Neither is ever a full
# matrix.

every = vech.pairwise.cosine(X)
S = vech.pairwise.cosine(X, threshold=THRESHOLD)
print(f"all similarities: {type(every).__name__} of {every.nbytes / 2**20:.1f} MiB")
print(f"above {THRESHOLD}: {type(S).__name__} of {S.nbytes / 2**20:.1f} MiB ({S.nnz} numbers)")
print(f"a full matrix: {8 * len(names) ** 2 / 2**20:.1f} MiB")

# %%
# The most similar others of one document are in one row of the matrix.

ASKED = ("linalg.cholesky", "signal.butter", "optimize.minimize", "spatial.distance.pdist", "stats.pearsonr")


def nearest(S, row, count):
    """The most similar others of one document, and how similar they are."""
    similarities = S.expand(slice(row, row + 1))[0]
    similarities[row] = 0
    order = np.argsort(-similarities, kind="stable")[:count]
    return order, similarities[order]


for name in ASKED:
    order, similarities = nearest(S, names.index(name), 4)
    others = ", ".join(f"{names[k]} {value:.2f}" for k, value in zip(order, similarities, strict=True))
    print(f"{name:<24} {others}")

# %%
# The most similar pairs of all are in the stored triangle alone.


def most_similar(S, count):
    """The most similar pairs, from the stored triangle alone."""
    pairs = S.to_coo(part="upper")
    i, j = pairs.coords
    size = np.where(i == j, -1, pairs.data)
    best = np.argsort(-size, kind="stable")[:count]
    return i[best], j[best], size[best]


for i, j, value in zip(*most_similar(S, 5), strict=True):
    print(f"{value:.3f}  {names[i]:<32} {names[j]}")

# %%
# The forty strongest pairs as lines; what hangs together stands side by side.

last = [name.rpartition(".")[2] for name in names]
vech.plot.graph(S.with_labels(last), 40, content="similarity", title="Told of in the same words")
plt.show()

# %%
# Next: examples/item_similarity.py, likeness between columns; docs/sparse.md
