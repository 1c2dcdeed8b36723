"""Write the config that trains the probe of a finished run anew.

    gendd-probe-config CONFIG CHECKPOINT probe.py
    bash tools/dist_train.sh probe.py 8 --resume
    gendd-export CONFIG CHECKPOINT OUT_DIR \
        --probe work_dirs/probe/epoch_100.pth

The protocol is that of the authors' "linear probe" numbers: a new linear layer
on the frozen student for 100 epochs, half label, half teacher. MobileNetV1 has
``--schedule configs/_base_/schedules/probe_mobilenet-v1.py``.
"""

import argparse
from pathlib import Path

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('out', help='config file to write; its name is that of the work dir')
    parser.add_argument(
        '--schedule',
        default='configs/_base_/schedules/probe.py',
        help='config file of the optimiser and the epochs (default: the published one)',
    )
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Write it."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.deploy import probe_config
        from gendd_mm.deploy.student_weights import student_weights
        from gendd_mm.engine.options import read_config, read_run

        cfg = read_run(args.config, args.cfg_options)
        student_weights(args.checkpoint)  # now, not after the data has been read
        derived = probe_config(cfg, args.checkpoint, read_config(args.schedule))
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        docstring = f'"""Probe of {args.config}, trained anew on {args.checkpoint}."""'
        Path(args.out).write_text(f'{docstring}\n\n{derived.pretty_text}', encoding='utf-8')
    print(f'wrote {args.out}')
