"""
What documentation says again and again
=======================================

Sentences in groups, by the angles between their embeddings. The sentences are those of Python's language
reference, which comes with Python, and of the docstrings of NumPy, SciPy and scikit-learn: 20 000 in all.
Each is a row of TF-IDF, then 100 numbers by a truncated SVD (latent semantic analysis).

You learn: the half of all cosine distances, the graph of nearest neighbours, HDBSCAN's groups and their
silhouette, and a map of them, none of which makes the square. The first 1400 sentences are shown; ``python
examples/sentence_clusters.py --all`` takes all, a half of 1.6 GB.
"""

import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from itertools import islice
from pydoc_data import topics

import numpy as np
from scipy.sparse.csgraph import connected_components

import vech

try:
    import matplotlib.pyplot as plt
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib") from None

COUNT = 20_000 if "--all" in sys.argv else 1400
PACKAGES = ("numpy", "scipy", "sklearn")
CODE = re.compile(">>>|---|===")  # and headings
PRIVATE = re.compile(r"\._|test|conftest")

# %%
# The sentences, each once.


def texts():
    """The language reference, then docstrings, each once."""
    yield from topics.topics.values()
    seen = set()
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}.", onerror=lambda _: None):
            if PRIVATE.search(module.name):
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    loaded = importlib.import_module(module.name)
            except ImportError:  # needs what is not installed
                continue
            for name in getattr(loaded, "__all__", ()):
                thing = getattr(loaded, name, None)
                text = inspect.getdoc(thing) if callable(thing) else None
                if text and text not in seen:
                    seen.add(text)
                    yield text


def sentences():
    """Sentences of six words or more, each once."""
    seen = set()
    for text in texts():
        for paragraph in re.split(r"\n\s*\n", text):
            for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split())):
                plain = sentence[:1].isupper() and sentence.endswith(".") and not CODE.search(sentence)
                if plain and len(re.findall(r"[A-Za-z]{2,}", sentence)) >= 6 and sentence not in seen:
                    seen.add(sentence)
                    yield sentence


# %%
# A hundred numbers for each.

DIMENSIONS = 100


def embeddings(found):
    """Numbers of each sentence that shares words with others; these sentences, TF-IDF and its words."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    X = vectorizer.fit_transform(found)
    kept = np.flatnonzero(X.getnnz(axis=1) >= 3)
    X = X[kept]
    svd = TruncatedSVD(min(DIMENSIONS, X.shape[1] - 1), random_state=0)
    return svd.fit_transform(X), [found[k] for k in kept], X, vectorizer.get_feature_names_out()


E, found, X, words = embeddings(list(islice(sentences(), COUNT)))
print(f"{len(E)} sentences of {X.shape[1]} words, {E.shape[1]} numbers each")

# %%
# The distances of all pairs.

D = vech.pairwise.distances(E, "cosine")
print(f"all distances: {D.nbytes / 2**20:.1f} MiB; as a square: {8 * D.n**2 / 2**20:.1f} MiB")

# %%
# Groups, and the parts into which the graph of nearest neighbours falls.

NEIGHBOURS = 10
SMALLEST = 8  # sentences of a group


def groups(D):
    """HDBSCAN's groups, and the parts into which the graph of mutual neighbours falls."""
    graph = vech.neighbors.graph(D, NEIGHBOURS, combine="mutual")
    _, parts = connected_components(graph.to_csr(), directed=False)
    return vech.cluster.hdbscan(D, min_cluster_size=SMALLEST, min_samples=3), parts


def silhouette(D, labels):
    """Of sentences that are in a group."""
    rows = np.flatnonzero(labels >= 0)
    return vech.cluster.silhouette(D.submatrix(rows), labels[rows]).score


(labels, strength, _), parts = groups(D)
sizes = np.bincount(labels[labels >= 0])
print(f"{sizes.size} groups of {sizes.sum()} sentences; the others belong to none")
print(f"the graph of mutual neighbours: {np.bincount(parts).max()} sentences in its largest part")
print(f"mean silhouette within groups: {silhouette(D, labels):.2f}")

# %%
# The largest groups: sentences, how strongly they belong, their words, the strongest of them.

SHOWN = 8
largest = np.argsort(-sizes, kind="stable")[:SHOWN]
named = {}
for group in largest:
    members = np.flatnonzero(labels == group)
    telling = np.asarray(X[members].mean(axis=0)).ravel().argsort()[::-1][:3]
    central = members[strength[members].argmax()]
    named[group] = ", ".join(words[telling])
    print(f"{members.size:>4}  {strength[members].mean():.2f}  {named[group]}: {found[central][:70]}")

# %%
# A map of these groups: principal coordinates of their distances.

rows = np.flatnonzero(np.isin(labels, largest))
places = vech.embedding.pcoa(D.submatrix(rows), 2).coordinates
_, axes = plt.subplots(figsize=(7, 5.5), layout="constrained")
for group, name in named.items():
    axes.plot(*places[labels[rows] == group].T, ".", label=name)
axes.set(xlabel="first coordinate", ylabel="second coordinate", title="Sentences that say the same")
axes.legend(fontsize=8)
plt.show()

# %%
# Next: examples/larger_than_memory.py, when the distances do not fit; docs/pairwise.md
