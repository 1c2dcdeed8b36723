"""The scripts that start a training or a test, in one process or several."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import toy_run

TOOLS = Path(__file__).resolve().parent.parent / 'tools'


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> str:
    """A config of a tiny run, in a folder whose name has a space."""
    return toy_run.write(tmp_path_factory.mktemp('a folder'))


def run(script: str, *arguments: str, **settings) -> subprocess.CompletedProcess:
    return subprocess.run(
        ['bash', str(TOOLS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        **settings,
    )


def environment(**settings: str) -> dict:
    """This environment, with this Python, outside of any launcher."""
    unset = {'NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT', 'PYTHONPATH', 'SLURM_JOB_ID'}
    kept = {k: v for k, v in os.environ.items() if k not in unset}
    return {**kept, 'PYTHON': sys.executable, **settings}


@pytest.fixture
def recorder(tmp_path) -> Path:
    """A stand-in for a program: it prints its arguments as JSON."""
    path = tmp_path / 'recorder'
    path.write_text(f'#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n')
    path.chmod(0o755)
    return path


ARGUMENTS = ['--work-dir', 'a b', '--cfg-options', 'x=[1, 2]', 'y="*"']


def test_dist_train_passes_arguments_as_they_are(recorder, tmp_path):
    done = run(
        'dist_train.sh',
        'my config.py',
        '2',
        *ARGUMENTS,
        cwd=tmp_path,
        env=environment(PYTHON=str(recorder)),
    )
    arguments = json.loads(done.stdout)
    assert arguments[:3] == [str(TOOLS / 'torchrun.py'), '--nnodes=1', '--nproc-per-node=2']
    start = arguments.index(str(TOOLS / 'train.py'))
    assert arguments[start + 1 :] == ['my config.py', *ARGUMENTS, '--launcher', 'pytorch']
    # Port 0 is whichever is free: two runs on a machine do not clash.
    assert '--rdzv-endpoint=127.0.0.1:0' in arguments[:start]


def test_dist_test_honours_the_variables_of_several_nodes(recorder):
    env = environment(
        PYTHON=str(recorder), NNODES='3', NODE_RANK='2', MASTER_ADDR='10.0.0.1', PORT='1234'
    )
    done = run('dist_test.sh', 'c.py', 'a b.pth', '8', *ARGUMENTS, env=env)
    arguments = json.loads(done.stdout)
    assert arguments == [
        str(TOOLS / 'torchrun.py'),
        '--nnodes=3',
        '--nproc-per-node=8',
        '--node-rank=2',
        '--master-addr=10.0.0.1',
        '--master-port=1234',
        str(TOOLS / 'test.py'),
        'c.py',
        'a b.pth',
        *ARGUMENTS,
        '--launcher',
        'pytorch',
    ]


def test_a_port_is_honoured_on_one_node(recorder):
    env = environment(PYTHON=str(recorder), PORT='1234')
    done = run('dist_train.sh', 'c.py', '2', env=env)
    assert '--master-port=1234' in json.loads(done.stdout)


@pytest.mark.parametrize(
    ('script', 'before', 'tool', 'after'),
    [
        ('slurm_train.sh', ['c.py', 'my dir'], 'train.py', ['c.py', '--work-dir', 'my dir']),
        ('slurm_test.sh', ['c.py', 'a b.pth'], 'test.py', ['c.py', 'a b.pth']),
    ],
)
def test_slurm_scripts_ask_for_what_they_are_told(recorder, script, before, tool, after):
    recorder.rename(recorder.with_name('srun'))
    env = environment(
        PATH=f'{recorder.parent}:{os.environ["PATH"]}',
        GPUS='4',
        GPUS_PER_NODE='2',
        SRUN_ARGS='--time=1:00 --exclusive',
    )
    done = run(script, 'part', 'job', *before, *ARGUMENTS, env=env)
    assert json.loads(done.stdout) == [
        '-p',
        'part',
        '--job-name=job',
        '--gres=gpu:2',
        '--ntasks=4',
        '--ntasks-per-node=2',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--time=1:00',
        '--exclusive',
        sys.executable,
        '-u',
        str(TOOLS / tool),
        *after,
        *ARGUMENTS,
        '--launcher',
        'slurm',
    ]


# Each writes a line of its arguments; srun then "trains", by the variable TASKS.
STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$LOG"
"""
SRUN = """
printf '%s\\n' "$@" >"$LOG.srun"
if [[ $TASKS == save ]]; then
    trap 'exit 75' USR1
    trap 'exit 137' TERM
    for _ in {1..300}; do sleep 0.1; done
fi
exit "$TASKS"
"""


@pytest.fixture
def batch_job(tmp_path):
    """Run slurm_train.sh as the end of a batch script, where Slurm is stand-ins."""
    programs = tmp_path / 'programs'
    programs.mkdir()
    state = 'echo JobState=${STATE:-RUNNING}\n'
    for name, rest in (('srun', SRUN), ('scontrol', state)):
        (programs / name).write_text(STAND_IN + rest)
        (programs / name).chmod(0o755)
    log = tmp_path / 'log'

    def job(tasks: str, *options: str, stop: int | None = None, **variables: str) -> tuple:
        env = environment(
            PATH=f'{programs}:{os.environ["PATH"]}',
            LOG=str(log),
            TASKS=tasks,
            SLURM_JOB_ID='7',
            **variables,
        )
        script = 'exec bash "$0" part job c.py "$1" "${@:2}"'
        command = ['bash', '-c', script, str(TOOLS / 'slurm_train.sh'), str(tmp_path / 'my work')]
        process = subprocess.Popen([*command, *options], env=env, stderr=subprocess.DEVNULL)
        if stop is not None:
            asked = Path(f'{log}.srun')
            for _ in range(300):
                if asked.exists() and asked.read_text().endswith('slurm\n'):
                    break
                time.sleep(0.1)
            time.sleep(0.2)
            process.send_signal(stop)
        status = process.wait(timeout=60)
        calls = [line for line in log.read_text().splitlines() if line.startswith('scontrol re')]
        return status, calls, Path(f'{log}.srun').read_text().splitlines()

    return job


@pytest.mark.parametrize('stop', [None, signal.SIGUSR1, signal.SIGTERM])
@pytest.mark.fault(
    'Interruptions',
    'Slurm signals the batch script or its tasks before a job ends',
    'the training saves, the job is requeued and goes on',
)
def test_a_job_that_has_saved_is_requeued(stop, batch_job):
    status, calls, _ = batch_job('75' if stop is None else 'save', stop=stop)
    assert (status, calls) == (75, ['scontrol requeue 7'])


@pytest.mark.parametrize('tasks', ['0', '1', '130', '137'])
def test_other_ends_of_a_job_are_final(tasks, batch_job):
    assert batch_job(tasks)[:2] == (int(tasks), [])


def test_a_cancelled_job_stays_so(batch_job):
    assert batch_job('75', STATE='CANCELLED')[:2] == (75, [])


def test_a_requeued_job_resumes(batch_job, tmp_path):
    assert '--resume' not in batch_job('0')[2]
    # It was stopped before it had saved: as the first time.
    assert '--resume' not in batch_job('0', SLURM_RESTART_COUNT='1')[2]
    (tmp_path / 'my work').mkdir()
    (tmp_path / 'my work' / 'last_checkpoint').touch()
    arguments = batch_job('0', '--resume', 'a.pth', SLURM_RESTART_COUNT='1')[2]
    assert arguments[-5:] == ['--resume', 'a.pth', '--resume', '--launcher', 'slurm']
    assert '--resume' not in batch_job('0')[2]


def test_the_batch_script_of_the_documentation_calls_ours(batch_job, tmp_path):
    page = (TOOLS.parent / 'docs' / 'stages.md').read_text()
    (script,) = re.findall(r'```bash\n(#!.*?)```', page, re.S)
    assert '#SBATCH --signal=B:USR1@120\n#SBATCH --requeue\n' in script
    batch_job('0')  # the log is not empty: what follows is added
    env = environment(
        PATH=f'{tmp_path / "programs"}:{os.environ["PATH"]}',
        LOG=str(tmp_path / 'log'),
        TASKS='75',
        SLURM_JOB_ID='8',
    )
    done = subprocess.run(['bash', '-c', script], env=env, cwd=TOOLS.parent)
    assert done.returncode == 75
    assert (tmp_path / 'log').read_text().endswith('scontrol requeue 8\n')
    assert '--ntasks=8' in Path(f'{tmp_path / "log"}.srun').read_text().splitlines()


@pytest.mark.parametrize(
    ('script', 'arguments', 'message'),
    [
        ('dist_train.sh', ['c.py'], 'Usage'),
        ('dist_test.sh', ['c.py', 'a.pth'], 'Usage'),
        ('slurm_train.sh', ['part', 'job', 'c.py'], 'Usage'),
        ('slurm_test.sh', ['part', 'job', 'c.py'], 'Usage'),
        ('dist_train.sh', ['c.py', 'two'], 'NPROC=two is not a number'),
        ('dist_train.sh', ['c.py', '0'], 'NPROC=0'),
        ('setup_env.sh', ['--nowhere'], 'unknown option --nowhere'),
        ('setup_env.sh', ['--stack', 'tf'], 'choose mm or onedl'),
        ('setup_env.sh', ['--env'], '--env needs a value'),
        ('run_tests.sh', ['--env'], '--env needs a value'),
    ],
)
def test_scripts_name_what_is_wrong(script, arguments, message):
    done = run(script, *arguments, env=environment())
    assert done.returncode != 0
    assert message in done.stderr


def test_setup_env_refuses_a_folder_that_is_something_else(tmp_path):
    (tmp_path / 'precious').touch()
    done = run('setup_env.sh', '--env', str(tmp_path), env=environment())
    assert done.returncode != 0
    assert 'no virtual environment' in done.stderr
    assert (tmp_path / 'precious').exists()


def test_setup_env_names_a_python_that_does_not_do(tmp_path):
    env = environment(PYTHON='no_such_python')
    done = run('setup_env.sh', '--env', str(tmp_path / 'env'), env=env)
    assert done.returncode != 0
    assert 'PYTHON=no_such_python' in done.stderr
    assert not (tmp_path / 'env').exists()


def machine(folder: Path, *pythons: str) -> dict[str, str]:
    """The environment of a machine that has these Pythons alone, which do not really run.

    A name such as ``python3.12`` is in the PATH; a path, such as
    ``.pyenv/versions/3.12.1/bin/python``, is beside it. A ``!`` before it: it is too old.
    """
    programs = folder / 'bin'
    programs.mkdir()
    for name in ('bash', 'dirname', 'basename', 'mkdir', 'cat', 'cksum', 'ls'):
        (programs / name).symlink_to(shutil.which(name))
    for python in pythons:
        name = python.lstrip('!')
        path = folder / name if '/' in name else programs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"""#!/bin/bash
case "$*" in
*find_spec*) exit 1 ;;
*version_info*) exit {int(python.startswith('!'))} ;;
*-m\\ venv*) echo "{name} makes it" >&2; exit 1 ;;
*) echo 3 ;;
esac
""")
        path.chmod(0o755)
    return dict(PATH=str(programs), HOME=str(folder))


@pytest.mark.parametrize(
    ('pythons', 'chosen'),
    [
        (['python3.12'], 'python3.12'),
        (['python3.13'], 'python3.13'),
        (['python3'], 'python3'),
        (['python'], 'python'),
        (['!python3', '!python', 'python3.13', 'python3.12'], 'python3.12'),
        (['python3.10', 'python3.13', 'python3.11'], 'python3.11'),
        # Shims of versions that are not selected.
        (
            ['!python3.12', '!python3', '.pyenv/versions/3.12.1/bin/python'],
            '.pyenv/versions/3.12.1/bin/python',
        ),
        (
            [
                '!.pyenv/versions/3.9.1/bin/python',
                '.pyenv/versions/3.10.4/bin/python',
                '.pyenv/versions/3.11.7/bin/python',
            ],
            '.pyenv/versions/3.11.7/bin/python',
        ),
    ],
)
def test_one_python_on_a_machine_is_enough(pythons, chosen, tmp_path):
    done = run('setup_env.sh', '--env', str(tmp_path / 'env'), env=machine(tmp_path, *pythons))
    assert f'{chosen} makes it\n' in done.stderr


def test_no_good_python_is_told_with_what_to_install(tmp_path):
    env = machine(tmp_path, '!python3', '!.pyenv/versions/3.14.0/bin/python')
    done = run('setup_env.sh', '--env', str(tmp_path / 'env'), env=env)
    assert done.returncode == 1
    assert 'no Python of 3.10 to 3.13 found; install python3.11' in done.stderr


@pytest.mark.parametrize(
    ('arguments', 'hint'),
    [
        (['setup_env.sh'], 'add --here, or use the commands gendd-quickstart'),
        (['setup_env.sh', '--here'], "pip install 'gendd_mm[mm,optional,tests,lint,docs]'"),
        (['dist_train.sh', 'c.py', '2'], "'pip install gendd_mm[mm]'"),
    ],
)
def test_the_scripts_of_a_wheel_name_no_checkout(arguments, hint, tmp_path):
    tools = tmp_path / 'gendd_mm' / '.mim' / 'tools'
    shutil.copytree(TOOLS, tools, ignore=shutil.ignore_patterns('__pycache__'))
    env = machine(tmp_path, 'python')
    if '--here' in arguments:  # a Python that runs, without any package
        bare = tmp_path / 'bare'
        bare.write_text(f'#!/bin/bash\nexec {sys.executable} -S -E "$@"\n')
        bare.chmod(0o755)
        env['PYTHON'] = str(bare)
    done = subprocess.run(
        ['bash', str(tools / arguments[0]), *arguments[1:]],
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 1
    assert hint in done.stderr
    assert 'setup_env.sh' not in done.stderr.replace('setup_env: ', '')


def test_two_processes_train_and_test_without_cuda(config, tmp_path):
    work_dir = tmp_path / 'my work'
    env = environment(CUDA_VISIBLE_DEVICES='')
    done = run('dist_train.sh', config, '2', '--work-dir', str(work_dir), cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    log = done.stdout + done.stderr
    assert 'Distributed training: True' in log
    # 8 images, 2 at a time on each of 2 processes: 2 steps.
    assert re.search(r'Epoch\(val\) \[1\]\[2/2\] +accuracy/top1', log)
    checkpoint = work_dir / 'epoch_1.pth'
    assert all(not key.startswith('module.') for key in torch.load(checkpoint)['state_dict'])

    out = tmp_path / 'metrics.json'
    done = run(
        'dist_test.sh',
        config,
        str(checkpoint),
        '2',
        '--work-dir',
        str(work_dir),
        '--out',
        str(out),
        '--out-item',
        'metrics',
        cwd=tmp_path,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    accuracy = json.loads(out.read_text())['accuracy/top1']
    assert f'accuracy/top1: {accuracy:.4f}' in log
