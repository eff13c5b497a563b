"""Pictures of pages: drawn by the lines above them, or a word about the library that is missing."""

import re
from pathlib import Path
from runpy import run_path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
if not (DOCS / "shown.py").exists():
    pytest.skip("docs/ is not beside the tests", allow_module_level=True)
shown = run_path(str(DOCS / "shown.py"))

PAGE = """# A page

```python
from pathlib import Path
number = 6 * 7
```

```python
>>> _ = Path("first.png").write_bytes(bytes(number))
>>> 1 / 0
Traceback (most recent call last):
ZeroDivisionError: division by zero
```

Words.

```python
{needed}Path("second.png").write_text("drawn")
print("said")
```

```text
said
```

More words.

```python
raise RuntimeError("this draws nothing, so it does not run")
```
"""


def test_a_picture_stands_below_the_lines_that_draw_it_and_what_they_print(tmp_path):
    page = shown["with_pictures"](PAGE.format(needed=""), "a", tmp_path / "drawn", "../drawn")
    first, second = "![first.png, as these lines draw it](../drawn/a-first.png)", "../drawn/a-second.png)"
    assert page.index("division by zero") < page.index(first) < page.index("Words.")
    assert page.index("```text\nsaid\n```\n") < page.index(second) < page.index("More words.")
    assert len(re.findall(r"!\[", page)) == 2
    assert (tmp_path / "drawn" / "a-first.png").read_bytes() == bytes(42)


def test_where_a_library_is_missing_a_line_says_so_and_old_pictures_go(tmp_path):
    text = PAGE.format(needed="import no_such_library\n")
    (tmp_path / "a-second.png").write_text("old")
    page = shown["with_pictures"](text, "a", tmp_path, "drawn")
    assert "![first.png, as these lines draw it](drawn/a-first.png)" in page
    assert "*second.png is not shown: this site was made without no_such_library.*" in page
    assert not (tmp_path / "a-second.png").exists()


def test_lines_that_fail_are_an_error_of_the_site(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)^a: .*ZeroDivisionError"):
        shown["with_pictures"](PAGE.format(needed="1 / 0\n"), "a", tmp_path, "drawn")


def test_a_page_without_pictures_is_not_run(tmp_path):
    text = "```python\n1 / 0\n```\n"
    assert shown["with_pictures"](text, "a", tmp_path, "drawn") == text


TASKS = sorted(page for page in (DOCS / "how-do-i").glob("*.md") if page.stem != "index")


@pytest.mark.parametrize(
    "page", [DOCS / "start.md", DOCS / "pictures.md", *TASKS], ids=lambda page: page.stem
)
def test_each_task_ends_in_a_picture(page):
    assert shown["blocks"](page.read_text(encoding="utf-8"))


def test_there_is_a_page_for_each_profession():
    assert len(TASKS) == 6
