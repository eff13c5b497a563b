"""README.md as a package index shows it: links into the repository lead nowhere there, so words stay alone.

The build asks this for the description of the sdist and of wheels: `tool.dynamic-metadata` of pyproject.toml.
"""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")
"""One that is relative."""

WHERE = """
The pages that are named here are in the folder `docs` of the sdist; `python -m pip install ".[docs]"` and
`python -m sphinx docs site` make the site of them there.
"""


def dynamic_metadata(settings, project):
    """What `readme` of pyproject.toml would be."""
    text = LINK.sub(r"*\1*", README.read_text(encoding="utf-8")) + WHERE
    return {"readme": {"content-type": "text/markdown", "text": text}}
