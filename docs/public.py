"""The public names of the modules that `reference/index.md` lists, for the templates of autosummary."""

import builtins
import inspect
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from symtable import symtable
from types import ModuleType

import numpy
from sphinx.pycode import ModuleAnalyzer

import vech

MODULES = re.findall(
    r"^   (vech[\w.]*)$", (Path(__file__).parent / "reference" / "index.md").read_text("utf-8"), re.MULTILINE
)


def stand_in(name, why):
    """A module without names that says why, where the library that it needs is not installed."""
    module = ModuleType(name, why)
    module.__all__ = []
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    setattr(import_module(parent), last, module)


missing = {}
for name in MODULES:
    try:
        import_module(name)
    except ImportError as error:
        missing[name] = missing.get(name.rpartition(".")[0], f"{error}.")
        stand_in(name, missing[name])


def is_ours(thing):
    """Whether vech made a function, class, method or property; what it inherits is told by its makers."""
    thing = getattr(thing, "fget", None) or getattr(thing, "__func__", None) or thing
    return str(getattr(thing, "__module__", "")).split(".")[0] == "vech"


def sort(thing):
    return "Classes" if inspect.isclass(thing) else "Functions" if inspect.isfunction(thing) else "Data"


def members():
    """(module, name, thing) of every public name, modules nearest to the root first."""
    for module in sorted(MODULES, key=lambda module: (module.count("."), module)):
        for name in import_module(module).__all__:
            thing = getattr(import_module(module), name)
            if not inspect.ismodule(thing) and not name.startswith("__"):
                yield module, name, thing


@cache
def homes():
    """The shortest name of each thing, on whose page it is told, by its identity."""
    found = {}
    for module, name, thing in members():
        found.setdefault(id(thing), f"{module}.{name}")
    return found


def tables():
    """Of each module, its classes, functions and data: (title, names told here, names told elsewhere)."""
    known = homes()
    rows = {module: {"Classes": ([], []), "Functions": ([], []), "Data": ([], [])} for module in MODULES}
    for module, name, thing in members():
        home = known[id(thing)]
        rows[module][sort(thing)][home != f"{module}.{name}"].append(home)
    return {
        module: [(title, *names) for title, names in kinds.items() if any(names)]
        for module, kinds in rows.items()
    }


def files():
    """Names of files of classes that differ from a function's in case alone, which not all systems see."""
    names = set(homes().values())
    return {name: f"{name}-class" for name in names if name != name.lower() and name.lower() in names}


def imports(source, module):
    """Lines that import what an example has from the module around it: so it runs where it is copied to."""
    known, lines = homes(), []
    for name in free(symtable(source, "example", "exec")):
        thing = {"np": numpy, "vech": vech}.get(name, getattr(module, name, None))
        if name == "np":
            lines.append("import numpy as np")
        elif inspect.ismodule(thing):
            lines.append(
                f"import {thing.__name__}" if name == thing.__name__ else f"import {thing.__name__} as {name}"
            )
        elif id(thing) in known:
            place, _, public = known[id(thing)].rpartition(".")
            lines.append(f"from {place} import {public}")
        elif not hasattr(builtins, name):
            raise NameError(f"{module.__name__}: an example has a name that no import brings: {name}")
    return sorted(set(lines), key=lambda line: (line.startswith("from"), line))


def free(table):
    """Names that are looked up and made nowhere."""
    made = {
        s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()
    }
    if table.get_type() != "module":
        made |= {s.get_name() for s in table.get_symbols() if not s.is_global()}
    asked = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    for inner in table.get_children():
        asked |= free(inner)
    return asked - made


def comment(thing):
    """The lines `#: ...` above the assignment of a thing that has no docstring, wherever that is."""
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "vech"]:
        for name, value in vars(module).items():
            if value is thing and (
                said := ModuleAnalyzer.for_module(module.__name__).find_attr_docs().get(("", name))
            ):
                return said
    return []
