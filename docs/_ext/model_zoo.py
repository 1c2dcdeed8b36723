"""The tables of the model zoo, from the metafiles that model-index.yml lists.

Where a page says ``<!-- model zoo -->``, the site has a section for each metafile.
"""

import os
import re
from pathlib import Path

from modelindex.load_model_index import load
from modelindex.models.Model import Model

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
PLACE = '<!-- model zoo -->'

_METRIC = re.compile(r'Top 1 Accuracy(?:, )?(?P<what>.*?) ?\(reported by the (?P<by>.+)\)')


def model_zoo(root: Path = ROOT, docs: Path = DOCS) -> str:
    """A section for each metafile, in the order of model-index.yml, in Markdown."""
    sections: dict[Path, list[Model]] = {}
    for model in load(str(root / 'model-index.yml')).models:
        sections.setdefault(Path(model.filepath).resolve().parent, []).append(model)
    return '\n'.join(_section(folder, models, root, docs) for folder, models in sections.items())


def _section(folder: Path, models: list[Model], root: Path, docs: Path) -> str:
    readme = folder / 'README.md'
    title = readme.read_text(encoding='utf-8').partition('\n')[0].removeprefix('# ')
    results = {model.name: _results(model) for model in models}
    reporters = sorted({by for cells in results.values() for _, by in cells})
    head = ['model', 'training']
    if reporters:
        head.append('top-1 in percent, reported by the ' + ' or the '.join(reporters))
    rows = [head, ['---'] * len(head)]
    for model in models:
        config = os.path.relpath(root / model.config, docs)
        row = [f'[{model.name}]({config})', _training(model)]
        if reporters:
            row.append('<br>'.join(text for text, _ in results[model.name]))
        rows.append(row)
    table = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
    return f'## {title}\n\n[How to run them]({os.path.relpath(readme, docs)})\n\n{table}\n'


def _training(model: Model) -> str:
    data = model.metadata.data
    parts = [data['Training Data']]
    for key, text in (
        ('Epochs', '{:,} epochs'),
        ('Iterations', '{:,} iterations'),
        ('Batch Size', 'batches of {}'),
        ('Training Resources', '{}'),
    ):
        if key in data:
            parts.append(text.format(data[key]))
    return ', '.join(parts)


def _results(model: Model) -> list[tuple[str, str]]:
    """Each number with what it is, and who reports it."""
    found = []
    for result in model.results or ():
        for name, value in result.metrics.items():
            match = _METRIC.fullmatch(name)
            if match is None:
                raise ValueError(
                    f'{model.filepath}: metric {name!r} of {model.name} does not say whose it is; '
                    "name it 'Top 1 Accuracy, WHAT (reported by the WHOM)'."
                )
            what = f' {match["what"]}' if match['what'] else ''
            found.append((f'{value:.2f}{what}', match['by']))
    return found


def setup(app) -> dict:
    def fill_in(app, docname: str, source: list[str]) -> None:
        if PLACE in source[0]:
            app.env.note_dependency(str(ROOT / 'model-index.yml'))
            source[0] = source[0].replace(PLACE, model_zoo())

    # Before repository_links, which makes the links work on the site.
    app.connect('source-read', fill_in, priority=400)
    return dict(version='1', parallel_read_safe=True, parallel_write_safe=True)
