"""What the commands share: arguments, and how they say what the user got wrong."""

import argparse
import dis
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Who raises an error to tell a user something.
_PACKAGES = (
    'gendd_commands.',
    'gendd_mm.',
    'mmengine.',
    'mmcv.',
    'mmpretrain.',
    'mmrazor.',
    'torch.optim.',
    'torch.utils.data.',
    'yaml.',
    '__main__.',
)
# What the commands run on. gendd_mm says what else is missing.
_STACK = ('torch', 'mmengine', 'rich')
_RAISE = dis.opmap['RAISE_VARARGS']


@contextmanager
def user_errors() -> Iterator[None]:
    """Print an error of the user as one line, and exit with status 1.

    Whatever else is raised keeps its traceback, as it may be a bug; ``--traceback`` on
    the command line shows all. Every process of a distributed run says its own.
    """
    try:
        yield
    except Exception as error:
        _exit_without_stack(error)
        asked = any(len(arg) > 3 and '--traceback'.startswith(arg) for arg in sys.argv[1:])
        if asked or not is_user_error(error):
            raise
        rank = os.environ.get('RANK')
        where = '' if rank is None else f' (rank {rank})'
        # str() of a KeyError quotes it.
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        if not _is_told(error):
            text = (
                f'{_being_built(error)} of the config cannot be built: {type(error).__name__}: '
                f'{text}. Check its settings; --traceback shows where it failed.'
            )
        print(f'error{where}: {" ".join(str(text).split())}', file=sys.stderr)
        sys.exit(1)


def _exit_without_stack(error: Exception) -> None:
    """Exit with one line if an error is that a package of the stack is not installed."""
    package = str(error.name).partition('.')[0] if isinstance(error, ModuleNotFoundError) else ''
    if package in _STACK:
        sys.exit(
            f'error: {package} is not installed in {sys.prefix}; the commands run on the '
            "OpenMMLab stack, which the extra `mm` brings: pip install 'gendd_mm[mm]'"
        )


def is_user_error(error: Exception) -> bool:
    """Whether an error was raised to tell the user something, and is no bug.

    That is: a file that cannot be read or written; a config that is no Python; what a
    ``raise`` or an ``assert`` with a message in this package or in OpenMMLab's says of a
    value, a type or a name; and whatever fails while a part of a config is built, which has
    nothing but its settings to fail by. Another operation that fails by itself is a bug.
    """
    return _is_told(error) or _being_built(error) is not None


def _being_built(error: Exception) -> str | None:
    """The type in whose constructor, called by a registry, an error arose; the innermost."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name == 'build_from_cfg' and code.co_filename.endswith('build_functions.py'):
            kind = traceback.tb_frame.f_locals.get('obj_type', found)
            found = getattr(kind, '__name__', kind)
        traceback = traceback.tb_next
    return found


def _is_told(error: Exception) -> bool:
    if isinstance(error, (OSError, SyntaxError)):
        return True
    traceback = error.__traceback__
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    module = f'{frame.f_globals.get("__name__", "")}.'
    if not module.startswith(_PACKAGES):
        return False
    if frame.f_code.co_code[traceback.tb_lasti] != _RAISE:
        # A class of the config, or its base, was called with other arguments than it takes.
        return isinstance(error, TypeError) and '__init__() ' in str(error)
    if isinstance(error, AssertionError):
        return bool(str(error)) and module.startswith('mm')
    if isinstance(error, RuntimeError) and not isinstance(error, NotImplementedError):
        return module.startswith(('gendd_mm.', 'mmengine.'))
    return not isinstance(error, (AttributeError, IndexError))


def usable_device(name: str) -> Any:
    """The device of a name, for argparse, which prints what is wrong with it."""
    import torch  # only where the option is used

    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device('meta')
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ('cpu', 'cuda'):
        raise argparse.ArgumentTypeError(f'{name} is no device to measure on; choose cpu or cuda')
    if device.type == 'cuda' and not 0 <= (device.index or 0) < count:
        raise argparse.ArgumentTypeError(
            f'{name} is not there: torch {torch.__version__} sees {count} CUDA devices; '
            'choose cpu, or look at nvidia-smi and CUDA_VISIBLE_DEVICES'
        )
    return device


def shown_command(tool: str) -> str:
    """How to call another tool: as this one was called.

    Example:
        >>> sys.argv[0] = '/usr/bin/gendd-make-config'
        >>> shown_command('train')
        'gendd-train'
        >>> sys.argv[0] = 'tools/make_config.py'
        >>> shown_command('train')
        'python tools/train.py'
    """
    if Path(sys.argv[0]).suffix == '.py' and Path(sys.argv[0]).parent.name == 'tools':
        return f'python tools/{tool}.py'
    return f'gendd-{tool.replace("_", "-")}'


class _CfgOptions(argparse.Action):
    """MMEngine's ``DictAction``, which is imported when the option is used."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        for value in values:
            if '=' not in value:
                parser.error(f'--cfg-options {value}: it must be key=value; write {value}=...')
        with user_errors():
            from mmengine.config import DictAction
        DictAction(self.option_strings, self.dest)(parser, namespace, values, option_string)


class _ForUserErrors(argparse.Action):
    """An option that :func:`user_errors` reads."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, *args, **kwargs) -> None:
        pass


def add_traceback(parser: argparse.ArgumentParser) -> None:
    """Add ``--traceback``, which shows where an error comes from."""
    parser.add_argument(
        '--traceback', action=_ForUserErrors, help='show the whole traceback of an error'
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of training and testing, the fields of ``RunOptions``."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument('--amp', action='store_true', help='compute in mixed precision')
    parser.add_argument(
        '--no-pin-memory',
        action='store_false',
        dest='pin_memory',
        help='do not pin the memory of batches (pinned if there is CUDA)',
    )
    add_cfg_options(parser)
    add_traceback(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes of a distributed run',
    )
    # torch.distributed.launch passes either spelling; torchrun sets LOCAL_RANK.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, a dict of settings by dotted name, or None."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_CfgOptions,
        help='override settings of the config, as key=value; lists as '
        'key="[a,b]" or key=a,b, nested ones as key="[(a,b),(c,d)]"',
    )
