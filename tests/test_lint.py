"""The gate: the same checks at a commit, by hand and in CI, with pinned tools."""

import configparser
import re
from pathlib import Path

import pytest
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
    assert steps == ['lint', 'run_tests', 'build_docs', 'run_tests']


WORKFLOWS = sorted((ROOT / '.github/workflows').glob('*.yml'))


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_scripts_that_exist(path):
    workflow = yaml.safe_load(path.read_text())
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True]
    steps = [step for job in workflow['jobs'].values() for step in job['steps']]
    assert all(('run' in step) != ('uses' in step) for step in steps)
    scripts = [step['run'].split()[1] for step in steps if step.get('run', '').startswith('bash ')]
    assert all((ROOT / script).is_file() for script in scripts)
    assert all(job['timeout-minutes'] for job in workflow['jobs'].values())


def test_each_change_runs_what_must_pass():
    jobs = yaml.safe_load((ROOT / '.github/workflows/ci.yml').read_text())['jobs']
    assert [step.get('run') for job in jobs.values() for step in job['steps']][-1] == 'bash .ci/run'


def test_the_claimed_versions_of_python_are_those_that_are_run():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    claimed = re.findall(r'Python :: (3\.\d+)', config['metadata']['classifiers'])
    run = set()
    for path in WORKFLOWS:
        if path.stem != 'packages':
            run |= set(re.findall(r"python(?:-version)?: '(3\.\d+)'", path.read_text()))
    assert claimed == sorted(run, key=lambda version: int(version.partition('.')[2]))


def test_the_forms_for_issues_ask_for_something():
    for path in (ROOT / '.github/ISSUE_TEMPLATE').glob('*.yml'):
        form = yaml.safe_load(path.read_text())
        if path.stem != 'config':
            assert {'name', 'description', 'body'} <= form.keys()
            assert len({part['id'] for part in form['body']}) == len(form['body'])
