"""Private names of upstream: each one is listed, exists and means what we think."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import mmengine.optim.scheduler.param_scheduler as param_scheduler
import mmengine.runner.checkpoint as mmengine_checkpoint
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.apis import ImageClassificationInferencer
from torch import nn

import gendd_mm
from gendd_mm import checkpoint_shims

ROOT = Path(__file__).resolve().parent.parent
PAGE = 'docs/private_api.md'
# Documented, in spite of the underscore.
PUBLIC = {'_asdict', '_exit', '_fields', '_make', '_replace'}


def listed(heading: str) -> set[str]:
    """The names in the first column of a table of the page."""
    section = (ROOT / PAGE).read_text().partition(f'## {heading}\n')[2].partition('\n## ')[0]
    return set(re.findall(r'^\| `([\w.]+)` \|', section, re.M))


def is_private(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r'_[a-zA-Z]\w*', name))


def own_names(trees: list[ast.Module]) -> set[str]:
    """The private names that the sources define themselves."""
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            # Setting the attribute of another object does not define it.
            and ast.unparse(node.value) in ('self', 'cls')
        ):
            names.add(node.attr)
    return names


def used_names(tree: ast.Module) -> set[str]:
    """The private names that a source imports, reads, sets or passes to getattr."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or '').split('.')
            names |= {alias.name for alias in node.names} | set(parts)
        elif isinstance(node, ast.Import):
            names |= {part for alias in node.names for part in alias.name.split('.')}
        elif isinstance(node, ast.Call) and re.search(
            r'(getattr|hasattr|setattr|delattr|patch\.object)$', ast.unparse(node.func)
        ):
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {name for name in names if is_private(name)}


def foreign_names(*folders: str) -> dict[str, set[str]]:
    """The private names that sources use and do not define, and the files."""
    sources = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in folders
        for path in sorted((ROOT / folder).rglob('*.py'))
        if '.mim' not in path.parts
    }
    package = [ast.parse(path.read_text()) for path in (ROOT / 'gendd_mm').rglob('*.py')]
    own = own_names([*sources.values(), *package]) | PUBLIC
    found: dict[str, set[str]] = {}
    for path, tree in sources.items():
        for name in used_names(tree) - own:
            found.setdefault(name, set()).add(path)
    return found


def overridden_names() -> dict[str, set[str]]:
    """The private methods of upstream that classes of the package override."""
    found: dict[str, set[str]] = {}
    for info in pkgutil.walk_packages(gendd_mm.__path__, 'gendd_mm.'):
        module = importlib.import_module(info.name)
        classes = [c for c in vars(module).values() if inspect.isclass(c)]
        for kind in (c for c in classes if c.__module__ == info.name):
            foreign = [c for c in kind.__mro__ if not c.__module__.startswith('gendd_mm')]
            for name, value in vars(kind).items():
                if (
                    is_private(name)
                    and inspect.isfunction(value)
                    # Not what a base class generates, as typing.Protocol does.
                    and value.__module__ == info.name
                    and any(name in vars(c) for c in foreign)
                ):
                    found.setdefault(name, set()).add(info.name)
    return found


def test_the_list_is_complete():
    used = foreign_names('gendd_mm', 'gendd_commands', 'tools') | overridden_names()
    known = {name.rpartition('.')[2] for name in listed('In the package and the tools')}
    missing = {name: sorted(places) for name, places in used.items() if name not in known}
    assert not missing, f'add {missing} to {PAGE} and to CHECKS, or use a public name.'
    assert not known - set(used), f'{known - set(used)} are no longer used; remove them.'


def test_the_list_says_where_each_is_used():
    rows = re.findall(r'^\| `([\w.]+)` \| (`.*?) \|', (ROOT / PAGE).read_text(), re.M)
    assert {name for name, _ in rows} == set(CHECKS)
    for name, places in rows:
        for place in re.findall(r'`([\w/]+\.py)`', places):
            sources = [path.read_text() for path in (ROOT / 'gendd_mm').rglob(place)]
            assert any(name.rpartition('.')[2] in source for source in sources), (name, place)


def test_the_list_of_the_tests_is_complete():
    used = set(foreign_names('tests'))
    known = {name.rpartition('.')[2] for name in set(CHECKS) | listed('In the tests')}
    assert not used - known, f'add {used - known} to {PAGE}, or use a public name.'


def test_the_scan_finds_every_kind_of_use():
    source = """
from torch import _a
from torch._b import c
import torch._c
torch._d()
model._e = 1
getattr(model, '_f', None)
self._g()
with mock.patch.object(torch, '_h'): pass
'text of _other'
own._mine
"""
    tree, ours = ast.parse(source), ast.parse('class A:\n  def __init__(self): self._mine = 1')
    assert used_names(tree) - own_names([ours]) == {f'_{letter}' for letter in 'abcdefgh'}


def cfg_dict_is_the_config():
    cfg = Config(dict(a=1, b=2))
    cfg._cfg_dict.pop('a')
    assert cfg._cfg_dict.to_dict() == {'b': 2}
    assert 'a' not in cfg


def param_scheduler_drives_one_parameter():
    kind = param_scheduler._ParamScheduler
    wanted = ['optimizer', 'param_name', 'begin', 'end', 'last_step', 'by_epoch', 'verbose']
    assert list(inspect.signature(kind).parameters) == wanted
    assert inspect.signature(kind).parameters['end'].default == param_scheduler.INF


def get_value_is_called_for_every_step():

    class Halved(param_scheduler._ParamScheduler):
        def _get_value(self):
            return [base / 2**self.last_step for base in self.base_values]

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = Halved(optimizer, 'lr')
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]['lr'] == 0.5


def no_fallback_without_protection():
    if hasattr(mmengine_checkpoint, '_safe_torch_load'):
        assert mmengine_checkpoint._safe_torch_load is checkpoint_shims._load_for_mmengine
    else:
        source = inspect.getsource(mmengine_checkpoint)
        assert not re.search(r'weights_only\s*=\s*False', source)


def apply_moves_and_casts():
    seen = []

    class Model(nn.Module):
        def _apply(self, fn, *args, **kwargs):
            seen.append(fn(torch.zeros(1)).dtype)
            return super()._apply(fn, *args, **kwargs)

    nn.Sequential(Model()).to(torch.float64)
    assert seen == [torch.float64]


def assert_async_takes_a_message():
    torch._assert_async(torch.tensor(True), 'it holds')
    with pytest.raises(RuntimeError, match='it does not'):
        torch._assert_async(torch.tensor(False), 'it does not')


def standard_gamma_takes_a_generator():
    alpha = torch.full((20_000,), 3.0, dtype=torch.float64)
    first, second = (
        torch._standard_gamma(alpha, generator=torch.Generator().manual_seed(0)) for _ in range(2)
    )
    assert first.equal(second)
    # Gamma(3) has mean 3 and variance 3: the error of the mean is 0.012.
    assert abs(first.mean() - 3) < 0.06
    assert abs(first.var() - 3) < 0.2


def linear_pointwise_is_a_linear_layer():
    if not torch.backends.mkldnn.is_available():
        pytest.skip('torch was built without oneDNN')
    inputs, weight, bias = torch.randn(4, 3), torch.randn(2, 3), torch.randn(2)
    ours = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, 'none', [], '')
    torch.testing.assert_close(ours, nn.functional.linear(inputs, weight, bias))


def inferencers_read_the_config_of_the_model():
    class Inferencer(ImageClassificationInferencer):
        def _init_pipeline(self, cfg):
            return cfg

    class Model(BaseModel):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            raise NotImplementedError

    model: Any = Model()
    model._config = Config(dict(a=1))
    found = Inferencer(model, classes=['a'])
    assert found.pipeline is found.config is model._config


CHECKS = {
    'mmengine.config.Config._cfg_dict': cfg_dict_is_the_config,
    'mmengine.optim.scheduler.param_scheduler._ParamScheduler': (
        param_scheduler_drives_one_parameter
    ),
    'mmengine.optim.scheduler.param_scheduler._ParamScheduler._get_value': (
        get_value_is_called_for_every_step
    ),
    'mmengine.runner.checkpoint._safe_torch_load': no_fallback_without_protection,
    'mmpretrain.apis.ImageClassificationInferencer._init_pipeline': (
        inferencers_read_the_config_of_the_model
    ),
    'torch.nn.Module._apply': apply_moves_and_casts,
    'torch._assert_async': assert_async_takes_a_message,
    'torch._standard_gamma': standard_gamma_takes_a_generator,
    'torch.ops.mkldnn._linear_pointwise': linear_pointwise_is_a_linear_layer,
}


@pytest.mark.parametrize('name', CHECKS)
def test_upstream_still_has_it(name):
    CHECKS[name]()


def test_everything_listed_is_checked():
    assert listed('In the package and the tools') == set(CHECKS)
