"""The page in a browser: what is asked for, which pixels are drawn, what the pointer is told."""

import io
import re

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

import vech
from browsers import chromium

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")

SIZE = {"width": 1000, "height": 720}


@pytest.fixture(scope="module")
def browser():
    with chromium("--force-color-profile=srgb") as found:
        yield found


class Opened:
    """A page in the browser, and what came over the network."""

    def __init__(self, browser, served):
        self.answers, self.faults = [], []
        self.page = browser.new_page(viewport=SIZE)
        self.page.on("response", lambda answer: self.answers.append((answer.url, answer.status)))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(served.url)
        self.served = served
        self.until("facts !== undefined")
        self.settle()

    def until(self, condition):
        """Wait until an expression is true; playwright's own waiting is not allowed by the page's policy."""
        for _ in range(4000):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"{condition} is not true within 200 s")

    def settle(self):
        """Wait until all that came is drawn."""
        self.page.evaluate(
            "new Promise((done) => { draw(); requestAnimationFrame(() => setTimeout(done, 50)); })"
        )
        self.until("facts.n === 0 || canvas.dataset.settled === 'yes'")

    def tiles(self):
        """Levels of the tiles that came."""
        return [int(found[1]) for url, _ in self.answers if (found := re.search(r"/tile/\w+/(\d+)/", url))]

    def place(self, i, j):
        """The pixel in the middle of a number."""
        x, y, scale, left, top = self.page.evaluate("[view.x, view.y, view.scale, margin.left, margin.top]")
        return left + (j + 0.5 - x) * scale, top + (i + 0.5 - y) * scale

    def pixels(self):
        """The page, (height, width, 3)."""
        return (
            (255 * matplotlib.image.imread(io.BytesIO(self.page.screenshot()))[..., :3]).round().astype(int)
        )

    def colour(self, i, j):
        x, y = self.place(i, j)
        return tuple(self.pixels()[int(y), int(x)])

    def told(self, i, j):
        """What is said with the pointer on a number."""
        self.page.mouse.move(*self.place(i, j))
        self.until("!tip.hidden && !tip.textContent.includes('…')")
        return self.page.inner_text("#tip").split("\n")

    def zoom(self, i, j, turns):
        self.page.mouse.move(*self.place(i, j))
        for _ in range(abs(turns)):
            self.page.mouse.wheel(0, -200 if turns > 0 else 200)
        self.settle()

    def choose(self, name, value):
        self.page.select_option(f"#{name}", value)
        self.settle()

    def limit(self, low, high):
        self.page.fill("#low", str(low))
        self.page.fill("#high", str(high))
        self.page.dispatch_event("#high", "change")
        self.settle()


@pytest.fixture
def opened(browser):
    made = []

    def opens(S, **more):
        made.append(Opened(browser, vech.view(S, wait=False, browser=False, **more)))
        return made[-1]

    yield opens
    for each in made:
        each.page.close()
        each.served.close()
        assert not each.faults
        assert {status for _, status in each.answers} == {200}
        assert all(url.startswith((each.served.url, "data:")) for url, _ in each.answers)


def mapped(name, x):
    return 255 * np.array(mpl.colormaps[name](float(x)))[:3]


def correlated(n=700):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, n)) + rng.normal(size=(60, 4))[:, np.arange(n) * 4 // n]
    return vech.covariance.correlation(X).with_labels([f"g{k}" for k in range(n)])


def test_the_picture_is_whole_and_symmetric_from_lower_tiles(opened):
    seen = opened(correlated())
    urls = [url for url, _ in seen.answers if "/tile/" in url]
    places = [tuple(map(int, url.split("/")[-2:])) for url in urls]
    assert places and all(i >= j for i, j in places) and len(set(urls)) == len(urls)
    (x, y), (right, low) = seen.place(0, 0), seen.place(699, 699)
    image = seen.pixels()[int(y) : int(low), int(x) : int(right)]
    side = min(image.shape[:2])
    image = image[:side, :side]
    assert image.std(axis=(0, 1)).max() > 20
    assert (np.abs(image - image.swapaxes(0, 1)).max(axis=2) > 8).mean() < 0.01


def test_zooming_in_asks_for_finer_tiles_and_ends_at_single_numbers(opened):
    S = correlated()
    seen = opened(S)
    coarse = set(seen.tiles())
    assert coarse == {1}
    seen.zoom(500, 100, 2)
    assert set(seen.tiles()) == {0, 1}
    seen.zoom(500, 100, 6)
    assert seen.told(500, 100) == ["row 500: g500", "column 100: g100", str(S[500, 100])]
    assert seen.told(499, 101) == ["row 499: g499", "column 101: g101", str(S[499, 101])]
    for i, j in [(500, 100), (499, 101)]:
        x, y = seen.place(i, j)
        corner = seen.pixels()[int(y) - 25, int(x) - 25]
        np.testing.assert_allclose(corner, mapped("RdBu", (S[i, j] + 1) / 2), atol=3)
    seen.page.keyboard.press("0")
    seen.page.click("#whole")
    seen.settle()
    assert seen.page.evaluate("canvas.dataset.level") == "1"


def test_the_pointer_is_told_of_all_numbers_of_a_cell(opened):
    S = correlated()
    seen = opened(S)
    A = S.expand()
    seen.page.mouse.move(*seen.place(201, 101))
    seen.until("!tip.hidden && tip.textContent.includes('mean')")
    seen.until("tip.textContent.includes('g101')")
    told = seen.page.inner_text("#tip").split("\n")
    block = A[200:202, 100:102]
    assert told[:2] == ["row 200 to 201: g200 … g201", "column 100 to 101: g100 … g101"]
    assert float(told[2].removeprefix("mean ")) == pytest.approx(block.mean(), rel=1e-5)
    most = block.ravel()[np.abs(block).argmax()]
    assert float(told[3].removeprefix("largest size ")) == pytest.approx(most, rel=1e-5)


def test_limits_colours_and_summary_change_pixels(opened):
    A = np.zeros((800, 800))
    A[400:402, 100:102] = [[0.4, 0], [0, -0.8]]
    seen = opened(vech.Packed(vech.pack(A, use="lower")), limits=(-1, 1))
    assert seen.page.evaluate("canvas.dataset.level") == "1"
    for changes, name, place in [
        (lambda: None, "RdBu", (-0.1 + 1) / 2),
        (lambda: seen.choose("summary", "extreme"), "RdBu", (-0.8 + 1) / 2),
        (lambda: seen.limit(-2, 1), "RdBu", (-0.8 + 2) / 3),
        (lambda: seen.choose("colours", "YlGnBu"), "YlGnBu", (-0.8 + 2) / 3),
    ]:
        changes()
        for i, j in [(400.5, 100.5), (100.5, 400.5)]:
            np.testing.assert_allclose(seen.colour(i, j), mapped(name, place), atol=5)
    seen.page.click("#automatic")
    seen.settle()
    assert seen.page.evaluate("limits") == [-1, 1]


def test_a_skew_matrix_is_mirrored_with_its_sign(opened):
    A = np.random.default_rng(1).normal(size=(9, 9))
    A -= A.T
    S = vech.Packed(vech.pack(A, kind="skew"), kind="skew")
    seen = opened(S, limits=(-4, 4))
    for i, j in [(7, 2), (2, 7), (5, 4), (4, 5)]:
        x, y = seen.place(i, j)
        np.testing.assert_allclose(
            seen.pixels()[int(y) - 20, int(x) - 20], mapped("RdBu", (A[i, j] + 4) / 8), atol=3
        )
        assert seen.told(i, j)[2] == str(S[i, j])


def test_tiles_above_the_diagonal_are_mirrored_with_their_sign(opened):
    S = vech.Packed(np.full(900 * 901 // 2, 0.5), kind="skew")
    seen = opened(S, limits=(-1, 1))
    for summary in ("mean", "extreme"):
        seen.choose("summary", summary)
        for i, j in [(800, 100), (100, 800)]:
            np.testing.assert_allclose(seen.colour(i, j), mapped("RdBu", (S[i, j] + 1) / 2), atol=3)


def test_parts_of_a_hermitian_matrix_are_chosen(opened):
    rng = np.random.default_rng(2)
    A = rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9))
    A += A.conj().T
    S = vech.Packed(vech.pack(A, kind="hermitian"), kind="hermitian")
    seen = opened(S)
    for part in ["real", "imaginary"]:
        seen.choose("part", part)
        seen.limit(-4, 4)
        for i, j in [(7, 2), (2, 7)]:
            x, y = seen.place(i, j)
            shown = mapped("RdBu", (getattr(A[i, j], part[:4]) + 4) / 8)
            np.testing.assert_allclose(seen.pixels()[int(y) - 20, int(x) - 20], shown, atol=3)
            assert seen.told(i, j)[2] == str(S[i, j])


def test_what_is_not_there_looks_like_nothing_else(opened, tmp_path):
    pytest.importorskip("zarr", reason="stores in tiles need the extra 'tiled'")
    pytest.importorskip("google_crc32c", reason="stores in tiles need the extra 'tiled'")
    T = vech.tiled.create(tmp_path / "S.zarr", 12, tile=4)
    block = np.ones((4, 4))
    block[1, 2] = np.nan
    for tile in [(1, 0), (2, 0), (2, 1)]:
        T.write_tile(*tile, block)
    seen = opened(tmp_path / "S.zarr", limits=(0, 1))
    grey = seen.page.evaluate("styles.oddRgb")
    for place in [(5, 2), (2, 5)]:
        x, y = seen.place(*place)
        np.testing.assert_allclose(seen.pixels()[int(y) - 15, int(x) - 15], grey, atol=2)
        assert seen.told(*place)[2] == "nan"
    x, y = seen.place(6, 5)
    hatched = seen.pixels()[int(y) - 15 : int(y) - 5, int(x) - 15 : int(x) + 15].reshape(-1, 3)
    assert len(np.unique(hatched, axis=0)) > 1 and np.abs(hatched - grey).min(axis=0).max() > 2
    assert seen.told(6, 5)[2] == "not done"
    T.write_tile(1, 1, np.ones((4, 4)))
    seen.page.mouse.move(5, 5)
    seen.page.wait_for_timeout(2000)
    seen.settle()
    assert seen.told(6, 5)[2] == "1.0"


def test_labels_are_text_whatever_they_are(opened):
    hostile = "<img src=x onerror=alert(1)>"
    seen = opened(vech.Packed(np.ones(6), labels=[hostile, "a" * 500, "ü"]), title=f"<b>{hostile}")
    assert seen.told(0, 2) == [f"row 0: {hostile}", "column 2: ü", "1.0"]
    assert seen.page.inner_text("#title") == f"<b>{hostile}"
    assert seen.page.locator("img").count() == 0


def test_one_goes_to_a_label_or_a_place(opened):
    S = correlated()
    seen = opened(S)
    for text, (i, j) in {"g600, g3": (600, 3), "17": (17, 17)}.items():
        seen.page.fill("#place", text)
        seen.page.press("#place", "Enter")
        seen.until("view.scale >= 60")
        seen.page.wait_for_timeout(200)
        seen.settle()
        middle = seen.page.evaluate(
            "[view.y + size().h / view.scale / 2, view.x + size().w / view.scale / 2].map(Math.floor)"
        )
        assert middle == [i, j]
        assert seen.told(i, j)[2] == str(S[i, j])


@pytest.mark.parametrize("n", [0, 1])
def test_small_matrices_have_a_page(opened, n):
    seen = opened(vech.Packed(np.full(n, 3.5)))
    if n:
        assert seen.told(0, 0) == ["row 0", "column 0", "3.5"]
    else:
        assert "0 x 0" in seen.page.inner_text("#facts")
