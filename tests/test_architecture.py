"""The layers that setup.cfg declares hold, and hold every module."""

import ast
import configparser
import re
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = str(ROOT / 'setup.cfg')


@pytest.fixture
def at_root(monkeypatch):
    """Import the package from the checkout, whose setup.cfg is read."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))


def test_a_module_imports_only_from_lower_layers(at_root, capsys):
    status = lint_imports(config_filename=SETTINGS, cache_dir=None)
    assert status == 0, capsys.readouterr().out


def test_every_module_has_a_layer(at_root):
    config = configparser.ConfigParser()
    config.read(SETTINGS)
    layers = set(re.findall(r'[\w.]+', config['importlinter:contract:layers']['layers']))
    modules = grimp.build_graph('gendd_mm', 'gendd_commands', cache_dir=None).modules

    def is_in_a_layer(module: str) -> bool:
        return any(
            module == layer
            or module.startswith(f'{layer}.')
            # A package whose modules have layers, such as gendd_mm.models.
            or layer.startswith(f'{module}.')
            for layer in layers
        )

    lost = sorted(module for module in modules if not is_in_a_layer(module))
    assert not lost, f'{lost} have no layer; add them in {SETTINGS}.'


@pytest.mark.parametrize('package', ['gendd_mm', 'gendd_commands'])
def test_no_module_needs_a_module_of_unix_to_be_imported(package):
    """Windows has none of these; importing the package must work there."""
    unix = {'fcntl', 'grp', 'posix', 'pty', 'pwd', 'resource', 'syslog', 'termios'}
    for path in sorted((ROOT / package).rglob('*.py')):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, 'names', [])]
            assert not unix & {*names, getattr(node, 'module', None)}, path
