"""The quick start: train, compare, export and classify on the digits.

    bash tools/quickstart.sh [--seeds 0 1 2]

Every step is a command that a user could type; it is printed, and what it
writes goes to work_dirs/quickstart. Each method has the same student, data,
optimiser, epochs and seeds.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

OUT = Path('work_dirs/quickstart')
PYTHON = sys.executable
TEACHER = 'configs/digits/teacher_digits.py'
# Those that train the whole student by its own output: one process.
RIVALS = dict(
    student='configs/digits/student_digits.py',
    kd='configs/digits/kd_digits.py',
    dkd='configs/digits/dkd_digits.py',
)
GENDD = 'configs/gendd_digits.py'
EPOCH = re.compile(r'Epoch\(train\)\s+\[(\d+)\]')
EPOCHS = re.compile(r'max_epochs=(\d+)')

console = Console()


def run(title: str, command: list[str], log: Path) -> float:
    """Run a command with a progress bar of its epochs; returns seconds.

    Raises:
        SystemExit: If it fails; its last lines are shown.
    """
    console.print(f'[bold]{title}[/]: {shlex.join(command)}', highlight=False)
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    tail: list[str] = []
    columns = (TextColumn('  {task.description}'), BarColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        open(log, 'w') as file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        ) as process,
    ):
        task = progress.add_task('starting', total=None)
        for line in process.stdout:
            file.write(line)
            tail = ([*tail, line])[-15:]
            if match := EPOCHS.search(line):
                progress.update(task, total=int(match[1]))
            if match := EPOCH.search(line):
                _report_epoch(progress, task, int(match[1]))
    seconds = time.monotonic() - started
    if process.returncode:
        console.print(''.join(tail), highlight=False, markup=False)
        raise SystemExit(
            f'{title} failed with exit status {process.returncode}; the whole output is in {log}.'
        )
    console.print(f'  done in {seconds:.0f} s')
    return seconds


def _report_epoch(progress: Progress, task: int, epoch: int) -> None:
    """Move the bar; where there is no terminal, print a line now and then."""
    if epoch > progress.tasks[task].completed:
        progress.update(task, completed=epoch, description=f'epoch {epoch}')
        if not console.is_terminal and epoch % 5 == 0:
            console.print(f'  epoch {epoch}')


def train(
    config: str, work_dir: Path, seed: int, processes: int = 1, teacher: Path | None = None
) -> float:
    """Train a config; returns seconds."""
    command = (
        [PYTHON, 'tools/train.py', config]
        if processes == 1
        else ['bash', 'tools/dist_train.sh', config, str(processes)]
    )
    command += ['--work-dir', str(work_dir), '--cfg-options', f'randomness.seed={seed}']
    if teacher:
        command.append(f'model.teacher_ckpt={teacher}')
    return run(f'{work_dir.name}: train', command, work_dir / 'train.log')


def evaluate(
    config: str, work_dir: Path, processes: int = 1, teacher: Path | None = None
) -> dict[str, float]:
    """Evaluate the last checkpoint; returns the metrics."""
    checkpoint = str(last_checkpoint(work_dir))
    command = (
        [PYTHON, 'tools/test.py', config, checkpoint]
        if processes == 1
        else ['bash', 'tools/dist_test.sh', config, checkpoint, str(processes)]
    )
    metrics = work_dir / 'metrics.json'
    command += ['--work-dir', str(work_dir), '--out', str(metrics), '--out-item', 'metrics']
    if teacher:
        command += ['--cfg-options', f'model.teacher_ckpt={teacher}']
    run(f'{work_dir.name}: test', command, work_dir / 'test.log')
    return json.loads(metrics.read_text())


def last_checkpoint(work_dir: Path) -> Path:
    """The checkpoint that the run says was its last."""
    return Path((work_dir / 'last_checkpoint').read_text().strip())


def classify(exported: Path) -> float:
    """Top-1 of the exported files by mmpretrain's own inferencer."""
    out = exported / 'top1.json'
    run(
        'exported: classify',
        [PYTHON, 'tools/classify_digits.py', str(exported), str(out)],
        exported / 'classify.log',
    )
    return json.loads(out.read_text())['top1']


def row(method: str, seed: int, seconds: float, gen: float | None, probe: float | None) -> dict:
    """One line of the summary; percent, None for a path it has not."""
    return dict(method=method, seed=seed, gen_top1=gen, probe_top1=probe, seconds=round(seconds, 1))


def show(rows: list[dict], exported_top1: float) -> None:
    """Print the table, with means where there are several seeds."""
    table = Table(title='GenDD on digits, 597 test images')
    for name in ('method', 'seeds', 'generative top-1', 'probe top-1', 'seconds'):
        table.add_column(name, justify='left' if name == 'method' else 'right')
    for method in dict.fromkeys(r['method'] for r in rows):
        mine = [r for r in rows if r['method'] == method]
        cells = [_spread([r[key] for r in mine]) for key in ('gen_top1', 'probe_top1', 'seconds')]
        table.add_row(method, str(len(mine)), *cells)
    console.print(table)
    console.print(
        'A method other than GenDD has one output, its own '
        f"classifier's. Exported student: {exported_top1:.2f} "
        'top-1 by mmpretrain alone.'
    )


def _spread(values: list[float | None]) -> str:
    if values[0] is None:
        return '-'
    mean = f'{sum(values) / len(values):.2f}'
    if len(values) == 1:
        return mean
    return f'{mean} ({min(values):.2f} to {max(values):.2f})'


def main() -> None:
    parser = argparse.ArgumentParser(description='Try GenDD on the digits')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='default: 0')
    seeds = parser.parse_args().seeds
    # The processes of a run share the cores.
    os.environ.setdefault('OMP_NUM_THREADS', '1')

    rows = []
    seconds = train(TEACHER, OUT / 'teacher', seeds[0])
    teacher = last_checkpoint(OUT / 'teacher')
    metrics = evaluate(TEACHER, OUT / 'teacher')
    rows.append(row('teacher', seeds[0], seconds, None, metrics['accuracy/top1']))

    for seed in seeds:
        for method, config in RIVALS.items():
            needs = None if method == 'student' else teacher
            work_dir = OUT / f'{method}_seed{seed}'
            seconds = train(config, work_dir, seed, teacher=needs)
            metrics = evaluate(config, work_dir, teacher=needs)
            rows.append(row(method, seed, seconds, None, metrics['accuracy/top1']))
        work_dir = OUT / f'gendd_seed{seed}'
        seconds = train(GENDD, work_dir, seed, processes=2, teacher=teacher)
        metrics = evaluate(GENDD, work_dir, processes=2, teacher=teacher)
        rows.append(row('gendd', seed, seconds, metrics['gen/top1'], metrics['probe/top1']))

    exported = OUT / 'exported'
    run(
        'exported: write',
        [
            PYTHON,
            'tools/export_student.py',
            GENDD,
            str(last_checkpoint(OUT / f'gendd_seed{seeds[0]}')),
            str(exported),
        ],
        exported / 'export.log',
    )
    exported_top1 = classify(exported)
    (OUT / 'summary.json').write_text(
        json.dumps(dict(rows=rows, exported_top1=exported_top1), indent=2)
    )
    show(rows, exported_top1)
    console.print(f'Written to {OUT / "summary.json"}.')


if __name__ == '__main__':
    main()
