"""The site: it builds without a warning; in a browser every page fits, search finds, what is copied runs."""

import contextlib
import fcntl
import importlib
import inspect
import io
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from operator import attrgetter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import vech
from browsers import chromium
from test_docstrings import FACES

ROOT = Path(__file__).parent.parent.parent
INDEX = ROOT / "docs" / "reference" / "index.md"
pytestmark = pytest.mark.skipif(not INDEX.exists(), reason="docs/ is not beside the tests")

INDEXED = INDEX.read_text(encoding="utf-8") if INDEX.exists() else ""
LISTED = re.findall(r"^   (vech[\w.]*)$", INDEXED, re.MULTILINE)
INTERNAL = {
    "vech.adapters.graphs": "its name is one of vech.adapters.sklearn",
    "vech.cli": "the command, which docs/command-line.md tells",
    "vech.io.cooler": "a file format",
    "vech.io.coolers": "a file format",
    "vech.results.making": "what vech.pairwise and vech.covariance share",
}


# ---- without the tools of the site ---------------------------------------------------------------------


def test_every_module_with_public_names_is_in_the_reference():
    assert set(FACES) <= set(LISTED)
    for _, name, _ in pkgutil.walk_packages(vech.__path__, "vech."):
        try:
            module = importlib.import_module(name)
        except ImportError:  # of an optional library; FACES has those
            continue
        assert not getattr(module, "__all__", ()) or (name in LISTED) != (name in INTERNAL), name


# ---- the site, built once ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of a site built without pictures of the gallery, by whichever process comes first."""
    for name in (
        "sphinx",
        "numpydoc",
        "myst_parser",
        "pydata_sphinx_theme",
        "sphinx_copybutton",
        "sphinx_gallery",
    ):
        pytest.importorskip(name, reason='the site is built by the extra "docs"')
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "vech-site"
    base.mkdir(exist_ok=True)
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "said").exists():
            build(base)
    return base / "site"


def build(base):
    for folder in ("docs", "examples"):  # but not what another build has generated
        shutil.copytree(
            ROOT / folder, base / folder, ignore=shutil.ignore_patterns("vech*.rst", "gallery", "drawn")
        )
    shutil.copy(ROOT / "CHANGELOG.md", base)
    command = [sys.executable, "-m", "sphinx", "docs", "site", "-q", "-W", "--keep-going"]
    done = subprocess.run([*command, "-D", "plot_gallery=0"], cwd=base, capture_output=True, text=True)
    (base / "said").write_text(f"{done.returncode}\n{done.stderr}")


def pages(site):
    return sorted(
        page.relative_to(site).as_posix() for page in site.rglob("*.html") if "_static" not in page.parts
    )


@pytest.mark.slow
def test_it_builds_without_a_warning(site):
    status, _, said = (site.parent / "said").read_text().partition("\n")
    assert status == "0", said


def inventory(site):
    """Every name that the reference tells, from what other sites link to."""
    data = (site / "objects.inv").read_bytes().split(b"\n", 4)[-1]
    lines = zlib.decompress(data).decode().splitlines()
    return {line.split(" ")[0] for line in lines if " py:" in line}


@pytest.mark.slow
def test_every_public_name_is_told(site):
    told, public = inventory(site), {}
    for module in LISTED:
        with contextlib.suppress(ImportError):  # of an optional library
            found = importlib.import_module(module)
            public |= {f"{module}.{name}": getattr(found, name) for name in found.__all__}
    things = set()
    for name in told - {"vech"}:
        with contextlib.suppress(AttributeError):
            things.add(id(attrgetter(name.removeprefix("vech."))(vech)))
    for name, thing in public.items():
        assert inspect.ismodule(thing) or "__" in name or id(thing) in things, name
    assert {"vech.pack", "vech.Packed.matmul", "vech.linalg.Cholesky.solve", "vech.DIALECTS"} <= told


class Page(HTMLParser):
    """What a page links to, and what may be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links |= {given[name] for name in ("href", "src") if given.get(name)}


@pytest.mark.slow
def test_every_link_leads_somewhere(site):
    found = {(site / name).resolve(): Page(site / name) for name in pages(site)}
    lost, within = [], 0
    for path, page in found.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme:
                if url.scheme != "https" or not url.netloc:
                    lost.append((path.name, link))
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            known = found[target].places if target in found else {unquote(url.fragment)}
            within += 1
            if not target.exists() or (url.fragment and unquote(url.fragment) not in known):
                lost.append((path.name, link))
    assert not lost and within > 10_000


@pytest.mark.slow
def test_an_example_leads_on(site):
    examples = [path.stem for path in (ROOT / "examples").glob("*.py")]
    for name in examples:
        text = (site / "gallery" / f"{name}.html").read_text(encoding="utf-8")
        said = re.search(r"<p>Next: (.*?)</p>", text, re.DOTALL)
        assert said, name
        links = re.findall(r'href="([^"]+)"', said[1])
        assert len(links) == 2 and links[1].startswith("../"), (name, said[1])


# ---- in a browser --------------------------------------------------------------------------------------

PHONE, DESK = {"width": 375, "height": 700}, {"width": 1280, "height": 800}


@contextlib.contextmanager
def browsing(size):
    """A page in a browser of its own, which notes what goes wrong and what is asked of the network."""
    with chromium() as browser:
        page = browser.new_page(viewport=size)
        page.faults = []
        page.on("console", lambda said: said.type == "error" and page.faults.append((page.url, said.text)))
        page.on("pageerror", lambda error: page.faults.append((page.url, str(error))))
        page.on("requestfailed", lambda request: page.faults.append((page.url, "fails", request.url)))
        page.on(
            "request",
            lambda asked: asked.url.startswith("file:") or page.faults.append((page.url, asked.url)),
        )
        yield page


LOOK = """() => ({
    titles: document.querySelectorAll("h1").length,
    wider: document.documentElement.scrollWidth - innerWidth,
    broken: [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src),
    errors: document.querySelectorAll(".system-message, .problematic").length,
})"""
FOUND = {"titles": 1, "wider": 0, "broken": [], "errors": 0}
MADE = ("genindex.html", "py-modindex.html")  # whose titles are not headings


def look_at(site, names):
    """What is wrong with pages on a phone."""
    with browsing(PHONE) as page:
        for name in names:
            page.goto(f"file://{site}/{name}")
            found = page.evaluate(LOOK) | ({"titles": 1} if name in MADE else {})
            if found != FOUND:
                page.faults.append((name, found))
        return page.faults


@pytest.mark.slow
def test_every_page_renders_and_fits_a_phone_without_a_network(site):
    names = pages(site)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(look_at, 2 * [site], (names[::2], names[1::2]))) == [[], []]
    assert len(names) > 250


@pytest.fixture(scope="module")
def page(site):
    with browsing(DESK) as page:
        yield page


TERMS = {
    "nearest correlation": "reference/vech.linalg.nearest_correlation",
    "pack": "reference/vech.pack",
    "expand": "reference/vech.expand",
    "vech.linalg.eigsh": "reference/vech.linalg.eigsh",
    "cholesky": "reference/vech.linalg.cholesky",
    "duplication": "reference/vech.linalg.duplication",
    "gerber": "covariance",
    "ledoit wolf": "reference/vech.covariance.ledoit_wolf",
    "condensed": "layouts",
    "svec": "layouts",
    "haversine": "pairwise",
    "mahalanobis": "pairwise",
    "NA": "covariance",
    "dbscan": "reference/vech.cluster.dbscan",
    "shampoo": "reference/vech.adapters.torch.Shampoo",
    "certificate": "reference/vech.plot.certificate",
    "domains": "quantized",
    "statistician": "how-do-i/statistician",
    "kubernetes": "scale",
    "slurm": "scale",
    "plink": "files",
    "fcidump": "files",
    "heatmap": "reference/vech.plot.heatmap",
    "completion": "command-line",
    "statsmodels": "coming-from",
    "interrupts": "reliability",
    "SparseHalf": "reference/vech.SparseHalf",
}
FIRST = 3
"""Links among which a page is found: what one sees without scrolling."""


@pytest.mark.slow
@pytest.mark.parametrize(("term", "wanted"), TERMS.items())
def test_search_finds_a_page_from_a_folder(site, page, term, wanted):
    page.goto(f"file://{site}/search.html?q={term.replace(' ', '+')}")
    links = "#search-results li > a"
    page.wait_for_function(
        "document.querySelector('.search-summary, #search-results > p')?.textContent.includes('finished')"
    )
    found = page.eval_on_selector_all(links, "all => all.map((link) => link.href)")
    found = [re.sub(r".*/site/|\.html.*|-class", "", link) for link in found]
    assert wanted in list(dict.fromkeys(found))[:FIRST]


COPIED = (
    *("quantized", "pairwise", "pictures", "covariance", "sparse"),
    *(
        "vech.pack",
        "vech.Packed",
        "vech.linalg.cholesky",
        "vech.linalg.eigsh",
        "vech.linalg.nearest_correlation",
    ),
    *("vech.covariance.gerber", "vech.covariance.Stream", "vech.pairwise.distances", "vech.pairwise.kernel"),
    *(
        "vech.cluster.linkage",
        "vech.embedding.pcoa",
        "vech.tiled.create",
        "vech.io.read_table",
        "vech.quantize",
    ),
)
WATCH = """() => addEventListener("copy", (event) => { window.copied = event.target.value; })"""


def copied(page):
    """What each button of a page puts on the clipboard, where the block is one of Python."""
    page.evaluate(WATCH)
    blocks = ("div.highlight:has(> pre .gp)", "div.highlight-python > div.highlight")
    buttons = page.locator(", ".join(f"{block} > button.copybtn" for block in blocks))
    for k in range(buttons.count()):
        buttons.nth(k).evaluate("(button) => button.click()")
        yield page.evaluate("window.copied")


@pytest.mark.slow
def test_what_is_copied_runs(site, page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    count = 0
    for name in COPIED:
        page.goto(f"file://{site}/{'reference/' if name.startswith('vech.') else ''}{name}.html")
        names = {"__name__": "copied"}
        for text in copied(page):
            assert text.strip() and not re.search(r"^(>>>|\.\.\.)", text, re.MULTILINE), (name, text)
            needs = contextlib.suppress(ModuleNotFoundError)  # of an optional library
            with contextlib.redirect_stdout(io.StringIO()), needs:
                exec(compile(text, name, "exec"), names)  # noqa: S102
            count += 1
    assert count >= 20
