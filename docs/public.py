"""The public names of the modules that `reference/index.md` lists, for the templates of autosummary."""

import inspect
import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

MODULES = re.findall(
    r"^   (vech[\w.]*)$", (Path(__file__).parent / "reference" / "index.md").read_text("utf-8"), re.MULTILINE
)


def is_ours(thing):
    """Whether vech made a function, class, method or property; what it inherits is told by its makers."""
    thing = getattr(thing, "fget", None) or getattr(thing, "__func__", None) or thing
    return str(getattr(thing, "__module__", "")).split(".")[0] == "vech"


def is_told(thing):
    return inspect.isfunction(thing) or inspect.isclass(thing)


def homes():
    """The shortest name of each class and function, on whose page it is told, by its identity."""
    found = {}
    for name in sorted(MODULES, key=lambda name: (name.count("."), name)):
        module = import_module(name)
        for public in module.__all__:
            thing = getattr(module, public)
            if is_told(thing):
                found.setdefault(id(thing), f"{name}.{public}")
    return found


def tables():
    """Of each module, its classes, functions and the rest: (title, names told here, names told elsewhere)."""
    known, found = homes(), defaultdict(list)
    for name in MODULES:
        module = import_module(name)
        rows = defaultdict(list)
        for public in module.__all__:
            thing = getattr(module, public)
            if inspect.ismodule(thing) or public.startswith("__"):
                continue
            title = "Classes" if inspect.isclass(thing) else "Functions" if is_told(thing) else "Data"
            rows[title].append(known.get(id(thing), f"{name}.{public}"))
        for title in ("Classes", "Functions", "Data"):
            here = [row for row in rows[title] if row.rpartition(".")[0] == name]
            there = [row for row in rows[title] if row not in here]
            if rows[title]:
                found[name].append((title, here, there))
    return found


def files():
    """Names of files that differ in more than the case of letters, which not every file system sees."""
    classes = {home for home in homes().values() if home.rpartition(".")[2][0].isupper()}
    return {name: f"{name}-class" for name in classes}
