"""torchrun, which hands signals to the training and its answer to the caller.

python tools/torchrun.py --nproc-per-node=2 tools/train.py CONFIG --launcher pytorch

By itself torchrun ends its processes 30 seconds after a signal, however long a checkpoint
takes, and then ends with status 1. Here SIGTERM, SIGUSR1 and Ctrl-C are handed on, and the
processes take the time they need. The status is theirs: 75 ("go on") or 130 after Ctrl-C.
A third signal ends them as torchrun does. Options and other failures are torchrun's.
"""

import contextlib
import os
import signal
import sys
import time

# This file imports nothing of the package, which takes seconds. The values are those of
# gendd_mm.engine.stop_signals.
GO_ON, INTERRUPTED = 75, 128 + signal.SIGINT
SAME_REQUEST_S = 2.0
LAUNCHER_VARIABLE = 'GENDD_LAUNCHER_PID'

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Relay:
    """Hand each signal to the training processes; before there are any, just end."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.requests = 0
        self._last = -SAME_REQUEST_S
        self._context = None

    def listen(self, context=None) -> None:
        """Take the signals over, for the processes of a ``PContext`` if one is given."""
        self._context = context
        for number in SIGNALS:
            signal.signal(number, self._receive)

    @property
    def status(self) -> int:
        """The answer to the first signal."""
        return INTERRUPTED if self.first == signal.SIGINT else GO_ON

    def _receive(self, number: int, frame) -> None:
        self.first = self.first or number
        if self._context is None:
            sys.exit(self.status)
        # Not before: torch may be half imported.
        from torch.distributed.elastic.multiprocessing import SignalException

        now = time.monotonic()
        # A scheduler may signal all processes of a job, and this one more than once.
        self.requests += number == signal.SIGINT or now - self._last >= SAME_REQUEST_S
        self._last = now
        if self.requests > 2:
            raise SignalException(f'{signal.Signals(number).name} again', signal.SIGTERM)
        for pid in self._context.pids().values():
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(pid, number)


def answer(codes: list[int], relay: Relay) -> int:
    """The exit status of the launcher, from those of the processes that failed.

    Args:
        codes: Their statuses; a negative one is a signal.
        relay: What the launcher was asked to do.
    """
    # A process ends with one of the first two after all of them have saved; with the
    # others if it was asked twice.
    for status in (GO_ON, INTERRUPTED, *(128 + number for number in SIGNALS)):
        if status in codes:
            return status
    # They had not begun to train, or ended between two stages: nothing is lost.
    ended = {-number for number in (*SIGNALS, signal.SIGKILL)}
    return relay.status if relay.first is not None and ended.issuperset(codes) else 1


def main() -> int:
    """Run torchrun; returns the exit status."""
    relay = Relay()
    relay.listen()
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import PContext, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    start = PContext.start

    def start_and_listen(context: PContext) -> None:
        start(context)  # sets handlers of its own
        relay.listen(context)

    PContext.start = start_and_listen
    # The processes end when this one does: see gendd_mm.engine.stop_signals.
    os.environ[LAUNCHER_VARIABLE] = str(os.getpid())
    try:
        run.main()
    except SignalException:
        status = 128 + signal.SIGTERM if relay.requests > 2 else relay.status
    except ChildFailedError as error:
        status = answer([failure.exitcode for failure in error.failures.values()], relay)
        if status == 1:
            print(error, file=sys.stderr)
    else:
        return 0
    if status in (GO_ON, INTERRUPTED):
        print(f'Stopped by a signal (status {status}); go on with --resume.', file=sys.stderr)
    return status


if __name__ == '__main__':
    sys.exit(main())
