"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import vech

MODULES = [
    "vech",
    *(name for _, name, _ in pkgutil.walk_packages(vech.__path__, "vech.") if not name.endswith("_core")),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        pytest.skip(f"{name} needs {missing.name}, which is not installed")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    names = {"np": np, "vech": vech}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=options, verbose=False)
    for test in finder.find(module, extraglobs=names):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_there_are_examples():
    module = importlib.import_module("vech.moves")
    assert sum(len(test.examples) for test in doctest.DocTestFinder().find(module)) >= 3
