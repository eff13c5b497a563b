"""What documentation says again and again: sentences in groups, by the angles between their embeddings.

The sentences are those of Python's language reference, which comes with Python, and of the docstrings of
NumPy, SciPy and scikit-learn: 20 000 in all. Each is a row of TF-IDF, then 100 numbers by a truncated SVD
(latent semantic analysis). `vech.pairwise.distances` makes the half of all cosine distances,
`vech.neighbors.graph` the graph of nearest neighbours, `vech.cluster.hdbscan` the groups.

Run: ``python examples/sentence_clusters.py`` for the first 2000, ``... 20000`` for all: a half of 1.6 GB.
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
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

import vech

PACKAGES = ("numpy", "scipy", "sklearn")
CODE = re.compile(">>>|---|===")  # and headings
PRIVATE = re.compile(r"\._|test|conftest")
DIMENSIONS = 100
NEIGHBOURS = 10
SMALLEST = 8  # sentences of a group
SHOWN = 8  # groups


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


def embeddings(found):
    """Numbers of each sentence that shares words with others; these sentences, TF-IDF and its words."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    X = vectorizer.fit_transform(found)
    kept = np.flatnonzero(X.getnnz(axis=1) >= 3)
    X = X[kept]
    svd = TruncatedSVD(min(DIMENSIONS, X.shape[1] - 1), random_state=0)
    return svd.fit_transform(X), [found[k] for k in kept], X, vectorizer.get_feature_names_out()


def groups(D):
    """HDBSCAN's groups, and the parts into which the graph of mutual neighbours falls."""
    graph = vech.neighbors.graph(D, NEIGHBOURS, combine="mutual")
    _, parts = connected_components(graph.to_csr(), directed=False)
    return vech.cluster.hdbscan(D, min_cluster_size=SMALLEST, min_samples=3), parts


def main(count=2000):
    E, found, X, words = embeddings(list(islice(sentences(), count)))
    D = vech.pairwise.distances(E, "cosine")
    print(f"{D.n} sentences of {X.shape[1]} words, {E.shape[1]} numbers each")
    print(f"all distances: {D.nbytes / 2**20:.1f} MiB; as a square: {8 * D.n**2 / 2**20:.1f} MiB")

    (labels, strength, _), parts = groups(D)
    sizes = np.bincount(labels[labels >= 0])
    print(f"{sizes.size} groups of {sizes.sum()} sentences; the others belong to none")
    print(f"the graph of mutual neighbours: {np.bincount(parts).max()} sentences in its largest part")
    print(f"mean silhouette within groups: {silhouette(D, labels):.2f}\n")

    print("sentences, how strongly they belong, their words, the strongest of them")
    for group in np.argsort(-sizes, kind="stable")[:SHOWN]:
        members = np.flatnonzero(labels == group)
        telling = np.asarray(X[members].mean(axis=0)).ravel().argsort()[::-1][:3]
        central = members[strength[members].argmax()]
        mean = strength[members].mean()
        print(f"{members.size:>4}  {mean:.2f}  {', '.join(words[telling])}: {found[central][:70]}")


def silhouette(D, labels):
    """Of sentences that are in a group."""
    rows = np.flatnonzero(labels >= 0)
    return vech.cluster.silhouette(D.submatrix(rows), labels[rows]).score


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
