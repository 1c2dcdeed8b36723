"""Write the config that trains the probe of a finished run anew.

    python tools/probe_config.py CONFIG CHECKPOINT probe.py
    bash tools/dist_train.sh probe.py 8 --resume
    python tools/export_student.py CONFIG CHECKPOINT OUT_DIR \
        --probe work_dirs/probe/epoch_100.pth

The protocol is that of the authors' "linear probe" numbers: a new linear layer
on the frozen student for 100 epochs, half label, half teacher. MobileNetV1 has
``--schedule configs/_base_/schedules/probe_mobilenet-v1.py``.
"""

import argparse
from pathlib import Path

from gendd_mm.deploy import probe_config
from gendd_mm.deploy.student_weights import student_weights
from gendd_mm.engine.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.engine.options import read_config, read_run

SCHEDULES = Path(__file__).resolve().parent.parent / 'configs' / '_base_' / 'schedules'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('out', help='config file to write; its name is that of the work dir')
    parser.add_argument(
        '--schedule',
        default=str(SCHEDULES / 'probe.py'),
        help='config file of the optimiser and the epochs (default: the published one)',
    )
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = read_run(args.config, args.cfg_options)
    student_weights(args.checkpoint)  # now, not after the data has been read
    derived = probe_config(cfg, args.checkpoint, read_config(args.schedule))
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    docstring = f'"""Probe of {args.config}, trained anew on {args.checkpoint}."""'
    Path(args.out).write_text(f'{docstring}\n\n{derived.pretty_text}', encoding='utf-8')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    with user_errors():
        main()
