"""The gate: the same checks at a commit, by hand and in CI, with pinned tools."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def commands() -> list[str]:
    """The checks of tools/lint.sh."""
    return re.findall(r'^(?:ruff|codespell|mypy).*', (ROOT / 'tools/lint.sh').read_text(), re.M)


def test_a_commit_runs_the_checks_of_the_gate():
    (local,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    assert [hook['entry'] for hook in local['hooks']] == commands()
    # Of the environment, so that there is one place for versions.
    assert {hook['language'] for hook in local['hooks']} == {'system'}


def test_every_tool_has_one_version():
    lines = (ROOT / 'requirements/lint.txt').read_text().splitlines()
    pinned = dict(line.split('==') for line in lines if not line.startswith('#'))
    assert set(pinned) == {command.split()[0] for command in commands()}


def test_ci_checks_before_it_tests():
    steps = re.findall(r'^bash tools/(\w+)\.sh', (ROOT / '.ci/run').read_text(), re.M)
    assert steps == ['lint', 'run_tests', 'run_tests']
