"""The site: `pip install ".[docs]" && python -m sphinx docs site -W` makes it in the folder `site`."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sphinx.ext.autodoc.mock import mock

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
    "sphinx_design",
]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]

# ---- pages in Markdown --------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4  # links to headings as code hosts make them

# ---- the reference, from the docstrings ---------------------------------------------------------------

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections say what the arguments are
OTHERS = ["anndata", "dask", "jax", "pandas", "pypfopt", "skbio", "skfolio", "sklearn", "torch", "xarray"]
autodoc_mock_imports = [name for name in OTHERS if find_spec(name) is None]
with mock(autodoc_mock_imports):
    import public

    autosummary_context = {"tables": public.tables()}
    autosummary_filename_map = public.files()
numpydoc_show_class_members = False  # methods stand on the page of their class
default_role = "py:obj"  # names in docstrings are links
maximum_signature_line_length = 88

# ---- blocks of code -----------------------------------------------------------------------------------

pygments_style = "a11y-high-contrast-light"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

# ---- the gallery ----------------------------------------------------------------------------------------

# ---- the look -----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"vech {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_depth": 3,
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def skip_what_others_tell(app, what, name, thing, skip, options):
    return True if what == "class" and not public.is_ours(thing) else None


def setup(app):
    app.connect("autodoc-skip-member", skip_what_others_tell)
