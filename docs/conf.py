"""The site: `pip install ".[docs]" && python -m sphinx docs site -W` makes it in the folder `site`."""

import doctest
import inspect
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import needs
import numpydoc.xref
import options
import public
import shown

import vech

project = "vech"
author = "the authors of vech"
project_copyright = "the authors of vech, Apache-2.0"
release = version = vech.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]

# ---- pages in Markdown --------------------------------------------------------------------------------

linkcheck_ignore = [r"https://doi\.org/"]  # whose publishers turn programs away
smartquotes = False  # quotes are those of code
myst_heading_anchors = 4  # links to headings as code hosts make them

# ---- the reference, from the docstrings ---------------------------------------------------------------

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections say what the arguments are
autosummary_context = {"tables": public.tables()}
autosummary_filename_map = public.files()
numpydoc_show_class_members = False  # methods stand on the page of their class
default_role = "py:obj"  # names in docstrings are links
numpydoc_xref_param_type = True
numpydoc.xref.DEFAULT_LINKS.clear()  # which are to sites of others
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {"layout": "vech.Layout"} | {
    name: f"vech.{name}" for name in ("Layout", "Packed", "Quantized", "SparseHalf", "Store", "Tiled")
}
maximum_signature_line_length = 88


def skip_what_others_tell(app, what, name, thing, skip, options):
    return True if what == "class" and not public.is_ours(thing) else None


def tell_data(app, what, name, thing, options, lines):
    if what == "data":
        lines[:] = public.comment(thing)


def add_imports(app, what, name, thing, options, lines):
    """Examples as a module's doctests have them know its names; those that are copied import them."""
    examples = doctest.DocTestParser().get_examples("\n".join(lines))
    module = inspect.getmodule(getattr(thing, "fget", thing))
    if not examples or module is None:
        return
    found = public.imports("".join(example.source for example in examples), module)
    first = next(k for k, line in enumerate(lines) if line.lstrip().startswith(">>> "))
    indent = lines[first].partition(">>> ")[0]
    lines[first:first] = [f"{indent}>>> {line}" for line in found]


def look_in_vech(app, env, node, contnode):
    """What a docstring calls `Packed`, anywhere, is `vech.Packed`."""
    if node.get("refdomain") == "py":
        name = f"vech.{node['reftarget']}"
        return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, contnode)


def show_pictures(app, docname, source):
    """What a page draws, below the lines that draw it, when the gallery runs too."""
    folder, _, name = docname.rpartition("/")
    if app.config.sphinx_gallery_conf["plot_gallery"] and folder in ("", "how-do-i"):
        link = "../drawn" if folder else "drawn"
        source[0] = shown.with_pictures(source[0], name, Path(app.srcdir) / "drawn", link)


def tell_options(app, docname, source):
    if docname == "command-line":
        source[0] = options.with_tables(source[0])


def link_the_next(app, docname, source):
    """The last line of an example, which names files where it is read as a script, as links."""
    if docname.startswith("gallery/"):
        before, said, after = source[0].rpartition("\nNext: ")
        line, end, after = after.partition("\n")
        line = re.sub(r"docs/([\w/-]+)\.md", r":doc:`/\1`", line)
        source[0] = before + said + re.sub(r"examples/(\w+)\.py", r":doc:`\1`", line) + end + after


SOUGHT = {"covariance": ("## Pairs of columns with holes", "NA"), "pairwise": ("## Metrics", "mahalanobis")}
"""Words that are sought, and the sections that tell of them, where names of functions fit these better."""


def index_what_is_sought(app, docname, source):
    """A main entry of the index is found first."""
    heading, word = SOUGHT.get(docname, ("", ""))
    if heading:
        assert f"\n{heading}\n" in source[0], f"{docname} has no section {heading!r}"
        source[0] = source[0].replace(f"\n{heading}\n", f"\n{heading}\n\n```{{index}} ! {word}\n```\n", 1)


def setup(app):
    app.connect("source-read", link_the_next)
    app.connect("source-read", index_what_is_sought)
    app.connect("source-read", tell_options)
    app.connect("source-read", show_pictures)
    app.connect("missing-reference", look_in_vech)
    app.connect("autodoc-skip-member", skip_what_others_tell)
    app.connect("autodoc-process-docstring", tell_data)
    app.connect("autodoc-process-docstring", add_imports, priority=900)


# ---- blocks of code -----------------------------------------------------------------------------------

pygments_style = "a11y-high-contrast-light"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

# ---- the gallery: -D plot_gallery=0 runs no example, and makes no picture of a page ---------------------

RUN = [name for name in needs.names() if not needs.missing(name)]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": rf"/({'|'.join(RUN)})\.py$",
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
    "doc_module": ("vech",),
    "reference_url": {"vech": None},
    "backreferences_dir": None,
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1,
    "abort_on_example_error": True,
}

# ---- the look -----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"vech {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).parent / "_static" / "scorer.js")
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "start", "installing", "coming-from", "changes")}
html_theme_options = {
    "collapse_navigation": True,
    "navigation_depth": 3,
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
