"""The site: sphinx, MyST and furo. ``bash tools/build_docs.sh`` builds it."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The sources beside this file, whatever is installed; and the extensions.
sys.path[:0] = [str(ROOT), str(ROOT / 'docs' / '_ext')]
os.environ.setdefault('OMP_NUM_THREADS', '1')

import gendd_mm  # noqa: E402

project = 'gendd_mm'
author = 'gendd_mm contributors'
copyright = 'gendd_mm contributors'
release = version = gendd_mm.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'myst_nb',
    'sphinx_copybutton',
    'sphinx_design',
    'model_zoo',
    'repository_links',
]
source_suffix = {'.rst': 'restructuredtext', '.md': 'myst-nb', '.ipynb': 'myst-nb'}
exclude_patterns = ['_build', '_ext', '**/.ipynb_checkpoints']

myst_enable_extensions = ['colon_fence']
# As a code host makes them, so that a link works in both places.
myst_heading_anchors = 4
nb_execution_mode = os.environ.get('GENDD_NOTEBOOKS', 'force')
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_default_options = {'members': True, 'member-order': 'bysource', 'show-inheritance': True}
autodoc_preserve_defaults = True
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
# A method without a docstring of ours would show that of torch or MMEngine.
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = f'gendd_mm {version}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = '.linenos, .gp, .go'

# `tools/build_docs.sh --links` asks for the pages of others; a login or a bot's check is
# no dead link.
linkcheck_allowed_redirects = {r'https://.*': r'https://.*'}
linkcheck_timeout = 20
linkcheck_anchors = False
