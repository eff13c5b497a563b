"""README.md and docs/: every block of Python runs, in the order of its page, and prints what it says.

A block of `>>>` is a doctest; any other runs as it is, and a block of text after it is what it prints.
Names stay from block to block, in a folder that is empty at first, and none is given. Commands of vech run on
the pages of COMMANDS. What needs a library that is missing is skipped by name, with the rest of its section
and what needs its names.
"""

import ast
import builtins
import contextlib
import doctest
import importlib
import io
import multiprocessing
import re
import shlex
import sys
from pathlib import Path
from symtable import symtable

import pytest

from vech import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="docs/ is not beside the tests")

ELSEWHERE = {"scale.md": "test_scale_page.py, which gives it workers and stands in for clusters"}
"""Pages that are followed by a test of their own, and why."""

SLOW = ("learning.md",)  # imports PyTorch and JAX
COMMANDS = ("start.md", "view.md", "covariance.md", "how-do-i/")
LEFT = ("vech view", "vech demo")  # one does not end, the other has tests of its own


def pages():
    found = sorted(DOCS.rglob("*.md")) if DOCS.exists() else []
    return [ROOT / "README.md", *(page for page in found if "python\n" in page.read_text(encoding="utf-8"))]


def named(page):
    return page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name


FENCED = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|^```(?P<language>\w+)[^\n]*\n(?P<source>.*?)^```$", re.DOTALL | re.MULTILINE
)


def plain(source):
    """A block without prompts and what it prints."""
    if ">>>" in source:
        return "".join(example.source for example in doctest.DocTestParser().get_examples(source))
    return source


def names_in(source):
    """Of a block the names that it binds, those that it uses, and the modules that it imports."""
    source = plain(source)
    bound, used, modules = set(), set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (bound if isinstance(node.ctx, ast.Store) else used).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules |= {node.module} if isinstance(node, ast.ImportFrom) else {a.name for a in node.names}
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
    return bound, used, modules


class Reader:
    """Who follows a page."""

    def __init__(self, page):
        self.page, self.name = page, named(page)
        self.text = page.read_text(encoding="utf-8")
        self.names = {"__name__": "__main__"}
        self.ran, self.left_out, self.lost = 0, [], set()
        self.said = None  # by the block before

    def follows(self):
        section = lacking = 0
        for part in FENCED.finditer(self.text):
            language, source = part["language"], part["source"]
            if part["heading"]:
                section += 1
                self.said = None
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


def free(table):
    """Names that a block takes from elsewhere, by its `symtable`."""
    found = {one.get_name(): one for one in table.get_symbols()}
    outer = table.get_type() == "module"
    asked = {name for name, one in found.items() if one.is_referenced() and (outer or one.is_global())}
    asked |= {name for inner in table.get_children() for name in free(inner)}
    made = {
        name for name, one in found.items() if one.is_assigned() or one.is_imported() or one.is_namespace()
    }
    return asked - (made if outer else set())


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
def test_a_page_can_be_followed(page, tmp_path, monkeypatch, spawning):
    monkeypatch.chdir(tmp_path)
    if "jax" in sys.modules:  # to which scikit-bio, of another page, says otherwise
        sys.modules["jax"].config.update("jax_enable_x64", False)
    reader = Reader(page)
    reader.follows()
    if reader.left_out:
        pytest.skip(f"{reader.ran} blocks run; those after it need {', '.join(reader.left_out)}")
    assert reader.ran


@pytest.fixture
def spawning():
    """Processes as they start where none is forked: a page that needs no guard here needs one there."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


GUIDES = ("covariance.md", "files.md", "learning.md", "pairwise.md", "quantized.md", "sparse.md")


@pytest.mark.parametrize("name", GUIDES)
def test_a_section_of_a_guide_needs_the_first_block_alone(name):
    """Beside its own: so that one section can be copied."""
    first, made = None, set()
    for part in FENCED.finditer((DOCS / name).read_text(encoding="utf-8")):
        if part["heading"]:
            made = made if part["heading"].startswith("###") else set()
        elif part["language"] == "python":
            source = plain(part["source"])
            first = names_in(source)[0] if first is None else first
            lost = free(symtable(source, name, "exec")) - first - made - set(dir(builtins)) - {"__name__"}
            assert not lost, (source, lost)
            made |= names_in(source)[0]


def test_pages_that_are_followed_elsewhere_are_there():
    assert set(ELSEWHERE) | set(SLOW) <= {named(page) for page in pages()}


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
