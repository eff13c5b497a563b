"""README.md and docs/: every block of Python runs, in the order of its page, and prints what it says.

A block of `>>>` is a doctest; any other runs as it is, and a block of text after it is what it prints.
Names stay from block to block, in a folder that is empty at first. Commands of vech run on the pages of
COMMANDS. What needs a library that is missing leaves out the rest of its section and what needs its names.
"""

import ast
import contextlib
import doctest
import importlib
import io
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import vech
from vech import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="docs/ is not beside the tests")

ELSEWHERE = {"scale.md": "test_scale_page.py, which gives it workers and stands in for clusters"}
"""Pages that are followed by a test of their own, and why."""

SLOW = ("learning.md",)  # imports PyTorch and JAX
COMMANDS = ("start.md", "view.md", "how-do-i/")
LEFT = ("vech view", "vech demo")  # one does not end, the other has tests of its own


def given(page):
    """What sections of the page take for granted: names, and files in the folder."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    return GIVEN.get(page, lambda rng, X: {})(rng, X)


def of_covariance(rng, X):
    pandas = pytest.importorskip("pandas")
    names = ["AAPL", "BRK.B", "KO", "MSFT", "XOM"]
    prices = pandas.DataFrame(100 * np.exp(np.cumsum(X / 100, axis=0)), columns=names)
    return {
        "X": np.tile(X, (40, 1)),
        "p": 5,
        "chunks": [prices[:30], prices[30:]],
        "frame": prices.mask(rng.random(prices.shape) < 0.1),
        "pool": ThreadPoolExecutor(2),
        "january": X[:20],
        "another_stream": another(X[20:]),
        "prices": prices,
        "mu": prices.pct_change().mean(),
        "n": 5,
        "affine": np.eye(4),
        "fit": Fit(rng.normal(size=(2, 3, 4, 6))),
    }


def another(X):
    stream = vech.covariance.Stream("sample")
    stream.update(X)
    return stream


class Fit:
    """Of DIPY: what it says of its tensors."""

    def __init__(self, six):
        self.six = six

    def lower_triangular(self):
        return self.six


def of_files(rng, X):
    for name in ("returns.csv", "large.csv", "large.csv.gz"):
        vech.io.write_table(name, vech.io.Table(X, tuple("abcde")))
    return {"vech": vech}


def of_pairwise(rng, X):
    pandas = pytest.importorskip("pandas")
    names = [f"row {k}" for k in range(60)]
    frame = pandas.DataFrame(X, names).mask(rng.random(X.shape) < 0.1)
    wide = rng.normal(size=(120, 16))
    return {
        "X": np.abs(wide),
        "D": vech.pairwise.distances(wide[:30]),
        "weights": np.ones(16),
        "frame": frame,
        "half": np.empty(120 * 119 // 2),
        "places": rng.uniform(-1, 1, (30, 2)),
        "R": vech.covariance.correlation(wide),
        "x": np.ones(120),
        "K": vech.pairwise.kernel(wide),
        "np": np,
        "vech": vech,
        "ProcessPoolExecutor": ThreadPoolExecutor,
        "names": np.array(names),
        "rapidfuzz": SimpleNamespace(process=SimpleNamespace(cdist=lengths_apart)),
        "Levenshtein": SimpleNamespace(distance=None),
    }


def lengths_apart(left, right, *, scorer, dtype):
    """Stands for rapidfuzz."""
    return np.abs(np.subtract.outer(np.char.str_len(left), np.char.str_len(right))).astype(dtype)


def of_quantized(rng, X):
    return {"matrices": [vech.covariance.sample(X), vech.covariance.sample(X[:30])]}


def of_sparse(rng, X):
    full = np.array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]])
    scipy = importlib.import_module("scipy.sparse")
    text = pytest.importorskip("sklearn.feature_extraction.text")
    return {
        "vech": vech,
        "matrix": scipy.csr_array(full),
        "x": np.ones(3),
        "TfidfVectorizer": text.TfidfVectorizer,
        "texts": ["half of a matrix", "a matrix in half", "nothing else"],
    }


GIVEN = {
    "covariance.md": of_covariance,
    "files.md": of_files,
    "pairwise.md": of_pairwise,
    "quantized.md": of_quantized,
    "sparse.md": of_sparse,
}


def pages():
    found = sorted(DOCS.rglob("*.md")) if DOCS.exists() else []
    return [ROOT / "README.md", *(page for page in found if "python\n" in page.read_text(encoding="utf-8"))]


def named(page):
    return page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name


FENCED = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|^```(?P<language>\w+)[^\n]*\n(?P<source>.*?)^```$", re.DOTALL | re.MULTILINE
)


def names_in(source):
    """Of a block the names that it binds, those that it uses, and the modules that it imports."""
    if ">>>" in source:
        source = "".join(example.source for example in doctest.DocTestParser().get_examples(source))
    bound, used, modules = set(), set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (bound if isinstance(node.ctx, ast.Store) else used).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules |= {node.module} if isinstance(node, ast.ImportFrom) else {a.name for a in node.names}
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return bound, used, modules


class Reader:
    """Who follows a page."""

    def __init__(self, page):
        self.page, self.name = page, named(page)
        self.text = page.read_text(encoding="utf-8")
        self.given = given(self.name)
        self.names = {"__name__": "__main__"} | self.given
        self.ran, self.left_out, self.lost = 0, [], set()
        self.said = None  # by the block before

    def follows(self):
        section = lacking = 0
        for part in FENCED.finditer(self.text):
            language, source = part["language"], part["source"]
            if part["heading"]:
                section += 1
                self.said = None
                self.names.update(self.given)
                continue
            bound, used, needed = names_in(source) if language == "python" else (set(), set(), set())
            missing = sorted(filter(lacks, needed))
            if missing:
                self.left_out += missing
                lacking = section
            if lacking in (1, section) or used & self.lost:  # what the page begins with, all of it needs
                self.lost |= bound
            else:
                self.lost -= bound
                self.takes(language, source, self.text.count("\n", 0, part.start("source")))

    def takes(self, language, source, line):
        if language == "python":
            self.said = (self.reads if ">>>" in source else self.runs)(source, line)
            self.ran += 1
        elif language == "text" and self.said is not None:
            assert self.said.rstrip() == source.rstrip(), f"{self.name}, line {line + 1}"
        elif language == "sh" and self.name.startswith(COMMANDS):
            self.said = "".join(self.types(command) for command in source.splitlines())

    def reads(self, source, line):
        test = doctest.DocTestParser().get_doctest(source, {}, self.name, str(self.page), line)
        test.globs = self.names
        assert test.examples
        assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0

    def runs(self, source, line):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(compile("\n" * line + source, str(self.page), "exec"), self.names)  # noqa: S102
        return said.getvalue()

    def types(self, command):
        if not command.startswith("vech ") or command.startswith(LEFT):
            return ""
        with contextlib.redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            cli.main(shlex.split(command, comments=True)[1:])
        assert ended.value.code == 0, command
        return said.getvalue()


def lacks(module):
    try:
        importlib.import_module(module)
    except ImportError:
        return True
    return False


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=named(page), marks=pytest.mark.slow if named(page) in SLOW else ())
        for page in pages()
        if named(page) not in ELSEWHERE
    ],
)
def test_a_page_can_be_followed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "jax" in sys.modules:  # to which scikit-bio, of another page, says otherwise
        sys.modules["jax"].config.update("jax_enable_x64", False)
    reader = Reader(page)
    reader.follows()
    if reader.left_out:
        pytest.skip(f"{reader.ran} blocks run; those after it need {', '.join(reader.left_out)}")
    assert reader.ran


def test_pages_that_are_followed_elsewhere_are_there():
    assert set(ELSEWHERE) | set(SLOW) | set(GIVEN) <= {named(page) for page in pages()}


def read_on():
    """Pages with a next one: not that of changes, nor the first, nor those of names."""
    first = ("index.md", "changes.md", "reference/")
    return [page for page in sorted(DOCS.rglob("*.md")) if not named(page).startswith(first)]


@pytest.mark.parametrize("page", read_on(), ids=named)
def test_a_page_ends_with_the_next_one(page):
    text = page.read_text(encoding="utf-8").partition("```{toctree}")[0]
    said = text.rstrip().rpartition("\n\n")[2]
    links = re.findall(r"\]\(([^)#]+\.md)", said)
    assert said.startswith("Next: [") and links
    assert all((page.parent / link).exists() for link in links)
