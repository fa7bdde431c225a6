"""Settings of the documentation site."""

from importlib import metadata

project = "codeloop"
author = "the codeloop authors"
release = metadata.version("codeloop")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "plan.md"]
default_role = "literal"  # in docstrings, `name` is code
autodoc_member_order = "bysource"
myst_heading_anchors = 3
nitpick_ignore_regex = [  # no other project's index is downloaded to build this site
    ("py:.*", r"(collections\.abc|pathlib|typing)\..*"),
    ("py:.*", r".*\._[A-Z]\w*"),  # a type variable
    ("py:exc", r"\w+Error"),  # "Raises:" names a class without its module
]
html_theme = "alabaster"
html_theme_options = {
    "description": "An open code interpreter",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
