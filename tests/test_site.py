"""The site: what its build would refuse, seen in seconds; and the build itself."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from gendd_mm.benchmark import latest_records, read_records

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / 'docs'
PAGES = sorted(
    path
    for suffix in ('md', 'rst', 'ipynb')
    for path in DOCS.rglob(f'*.{suffix}')
    if not {'_build', '.ipynb_checkpoints'} & set(path.parts)
)
MARKDOWN = [
    *(page for page in PAGES if page.suffix == '.md'),
    *sorted((ROOT / 'configs').rglob('*.md')),
    *sorted(ROOT.glob('*.md')),
]


def module(path: str) -> ModuleType:
    """A script or an extension of the site, which is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, DOCS / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope='module')
def links() -> ModuleType:
    return module('_ext/repository_links.py')


@pytest.fixture(scope='module')
def zoo() -> ModuleType:
    return module('_ext/model_zoo.py')


def named_pages(page: Path) -> set[Path]:
    """The pages that the tables of contents of a page name."""
    found = set()
    for block in re.findall(r'```\{toctree\}\n(.*?)```', page.read_text(), re.S):
        for line in block.splitlines():
            name = re.sub(r'.*<(.*)>$', r'\1', line.strip())
            if name and not name.startswith(':'):
                found |= set(page.parent.glob(f'{name}.*'))
    return found


def anchors(page: Path) -> set[str]:
    """What links can name after ``#``, as code hosts make it from a heading."""
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.S)
    headings = re.findall(r'^#{1,4} (.*)$', text, re.M)
    plain = [re.sub(r'\[(.*?)\]\(.*?\)', r'\1', heading).lower() for heading in headings]
    return {re.sub(r'[^\w\- ]', '', heading).replace(' ', '-') for heading in plain}


def test_every_page_is_in_a_table_of_contents():
    named = set().union(*(named_pages(page) for page in PAGES if page.suffix == '.md'))
    assert named | {DOCS / 'index.md'} == set(PAGES)


@pytest.mark.parametrize('page', MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_heading_or_a_file(page):
    text = re.sub(r'```(?!\{).*?```', '', page.read_text(), flags=re.S)
    for target, anchor in re.findall(r'\]\(([^)\s#]*)#?([^)\s]*)\)', text):
        if '://' in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), f'{target} is no file'
        assert not anchor or anchor in anchors(path), f'{path.name} has no heading #{anchor}'


def test_links_of_the_repository_become_links_of_the_site(links, tmp_path):
    docs, run = tmp_path / 'docs', tmp_path / 'configs' / 'run'
    for folder in (docs / 'pages', run):
        folder.mkdir(parents=True)
    (docs / 'guide.md').write_text('# Guide\n')
    (docs / 'pages' / 'run.md').write_text('```{include} ../../configs/run/README.md\n```\n')
    (run / 'README.md').write_text('# Run\n')
    (run / 'run.py').write_text('')
    pages = links.included_pages(docs)
    assert pages == {run / 'README.md': docs / 'pages' / 'run.md'}

    def on_site(text: str, folder: Path) -> str:
        return links.site_links(text, folder, pages, docs)

    # A page of its own, a README that is a page, and a file that is none, from both sides.
    assert on_site('[a](guide.md#b)', docs) == '[a](/guide.md#b)'
    assert on_site('[a](../../docs/guide.md)', run) == '[a](/guide.md)'
    assert on_site('[a](../configs/run/README.md#c)', docs) == '[a](/pages/run.md#c)'
    assert on_site('![a](run.py)', run) == '![a](/../configs/run/run.py)'
    # Nothing else: other sites, places of the page, files that are not there, code.
    for text in ('[a](https://b.c/guide.md)', '[a](#b)', '[a](missing.md)', 'f[0](guide)'):
        assert on_site(text, docs) == text


@pytest.mark.parametrize(
    ('page', 'package'),
    [
        ('generative', 'generative'),
        ('models', 'models'),
        ('datasets', 'datasets'),
        ('engine', 'engine'),
        ('evaluation', 'evaluation'),
        ('inference', 'inference'),
    ],
)
def test_the_reference_has_every_public_name(page, package):
    text = (DOCS / 'api' / f'{page}.rst').read_text()
    documented = set(re.findall(r'^\.\. auto(?:class|function):: (\w+)$', text, re.M))
    public = importlib.import_module(f'gendd_mm.{package}')
    assert set(public.__all__) <= documented


def test_the_model_zoo_has_every_model_and_result(zoo):
    text = zoo.model_zoo()
    rows = {row[0]: row for row in re.findall(r'^\| \[(.*?)\]\((.*?)\) \|(.*)\|$', text, re.M)}
    models = [
        model
        for path in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
        for model in yaml.safe_load((ROOT / path).read_text())['Models']
    ]
    assert set(rows) == {model['Name'] for model in models}
    for model in models:
        _, config, cells = rows[model['Name']]
        assert (DOCS / config).resolve() == ROOT / model['Config']
        assert model['Metadata']['Training Data'] in cells
        for result in model.get('Results', ()):
            assert all(f'{value:.2f}' in cells for value in result['Metrics'].values())


def test_a_number_whose_origin_is_not_stated_is_refused(zoo, tmp_path):
    (tmp_path / 'README.md').write_text('# Runs\n')
    (tmp_path / 'model-index.yml').write_text('Import:\n  - metafile.yml\n')
    model = dict(
        Name='run',
        Config='run.py',
        Metadata={'Training Data': 'digits'},
        Results=[dict(Task='a', Dataset='b', Metrics={'Top 1 Accuracy': 99.0})],
    )
    (tmp_path / 'metafile.yml').write_text(yaml.safe_dump(dict(Models=[model])))
    with pytest.raises(ValueError, match="'Top 1 Accuracy' of run does not say whose it is"):
        zoo.model_zoo(tmp_path, tmp_path)


def test_the_table_of_the_readme_is_that_of_the_records():
    """As the picture beside it, which is drawn from the same numbers."""
    draw_results = module('images/draw_results.py')
    found = draw_results.results(latest_records(read_records(DOCS / 'benchmark' / 'results.jsonl')))
    section = (ROOT / 'README.md').read_text().split('## Results')[1].split('\n## ')[0]
    lines = re.findall(r'^\|(.*)\|$', section, re.M)[2:]
    rows = [[cell.strip(' *') for cell in line.replace('**', '').split('|')] for line in lines]
    assert len(rows) == 8
    for name, *cells in rows:
        row = name.replace('x0 prediction', 'x0')
        for setting, cell in zip(draw_results.SETTINGS, cells, strict=True):
            summary = found[setting].get(row)
            text = f'{summary.mean:.2f} ± {summary.std:.2f}' if summary else ''
            assert cell == text, (name, setting)


@pytest.mark.parametrize('page', sorted((DOCS / 'notebooks').glob('*.ipynb')), ids=lambda p: p.stem)
def test_a_notebook_is_stored_without_results_and_checks_its_own(page):
    cells = json.loads(page.read_text())['cells']
    code = [cell for cell in cells if cell['cell_type'] == 'code']
    assert not any(cell['outputs'] or cell['execution_count'] for cell in code)
    assert any('\nassert ' in ''.join(cell['source']) for cell in code)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """With both notebooks run. Sphinx checks the links between pages."""
    for name in ('sphinx', 'myst_nb', 'furo', 'sphinx_copybutton', 'sphinx_design'):
        pytest.importorskip(name)
    subprocess.run(
        ['bash', str(ROOT / 'tools/build_docs.sh'), '--here', '--out', str(tmp_path)],
        check=True,
        env=dict(os.environ, PYTHON=sys.executable),
    )
    html = tmp_path / 'html'
    for page in PAGES:
        text = (html / page.relative_to(DOCS)).with_suffix('.html').read_text()
        # A link to a Markdown file would lead out of the site.
        assert not re.findall(r'href="(?!https?:)[^"]*\.md[#"]', text)
    assert 'through the generative: ' in (html / 'notebooks/generative_head.html').read_text()
