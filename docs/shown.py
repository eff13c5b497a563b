"""The pictures that pages make: their blocks of Python run, and each picture stands below what saves it.

Each page in a process and a folder of its own, as a reader runs it, and only when the gallery runs too. What
a page draws after a library that is missing is left out, and a line says so.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```python\n(?P<source>.*?)^```\n(?:\n```text\n.*?^```\n)?", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"\"([\w.-]+)\.png\"")

RUN = """
import doctest, sys
from pathlib import Path
import matplotlib
matplotlib.use("agg")
names = {"__name__": "__main__"}
for source in sys.stdin.read().split("\\0"):
    if ">>>" in source:
        wanted = doctest.DocTestParser().get_examples(source)
        source = "".join(one.source for one in wanted if not one.exc_msg)
    try:
        exec(source, names)
    except ImportError as error:
        Path("missing").write_text(error.name or str(error))
        break
"""


def blocks(text):
    """The blocks of Python up to the last that saves a picture, with what each prints: matches of `BLOCK`."""
    found = list(BLOCK.finditer(text))
    last = max((k for k, block in enumerate(found) if PICTURE.search(block["source"])), default=-1)
    return found[: last + 1]


def draw(text, name, folder):
    """Run the blocks of a page; keep its pictures in a folder, and give the library that it lacks, if one."""
    with tempfile.TemporaryDirectory() as work:
        path = os.pathsep.join(part for part in sys.path if part)
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            input="\0".join(block["source"] for block in blocks(text)),
            env=os.environ | {"PYTHONPATH": path},
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-*.png"):
            old.unlink()
        for picture in Path(work).glob("*.png"):
            (folder / f"{name}-{picture.name}").write_bytes(picture.read_bytes())
        missing = Path(work) / "missing"
        return missing.read_text() if missing.exists() else None


def with_pictures(text, name, folder, link):
    """The page with each picture below its block: `link` is the folder as the page names it."""
    if not blocks(text):
        return text
    missing = draw(text, name, folder)

    def shown(block):
        lines = [block[0]]
        for picture in PICTURE.findall(block["source"]):
            file = f"{name}-{picture}.png"
            lines.append(
                f"![{picture}.png, as these lines draw it]({link}/{file})\n"
                if (folder / file).exists()
                else f"*{picture}.png is not shown: this site was made without {missing}.*\n"
            )
        return "\n".join(lines)

    return BLOCK.sub(shown, text)
