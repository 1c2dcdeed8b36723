"""Signals that ask a training to save and stop."""

import os
import signal
import threading
import time

# The status of a run that saved and is to be started again: EX_TEMPFAIL of sysexits.h.
GO_ON = 75
# Ctrl-C: a person does not want it started again by a script.
INTERRUPTED = 128 + signal.SIGINT

# One request reaches a process up to twice: from the scheduler and through a launcher.
SAME_REQUEST_S = 2.0
# tools/torchrun.py names itself to the processes it starts.
LAUNCHER_VARIABLE = 'GENDD_LAUNCHER_PID'
# What a training whose launcher is gone has for its checkpoint.
_ORPHAN_GRACE_S = 120.0


class StopSignals:
    """Remember that SIGTERM, SIGUSR1 or SIGINT came; a second one ends the process.

    A signal within two seconds of the first counts as the same request, except Ctrl-C,
    which only a person repeats.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._received_at = 0.0
        self._before: dict[int, object] = {}
        self._owner = os.getpid()

    def listen(self) -> None:
        """Take the signals over. Only the main thread of a process may."""
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        self._owner = os.getpid()
        for name in ('SIGTERM', 'SIGUSR1', 'SIGINT'):
            if hasattr(signal, name):  # Windows has no SIGUSR1
                number = getattr(signal, name)
                self._before[number] = signal.signal(number, self._receive)

    def restore(self) -> None:
        """Give the signals back to whom they belonged; what came is remembered."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def ignore(self) -> None:
        """Let nothing interrupt the process, which is about to end."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame) -> None:
        if os.getpid() != self._owner:
            return  # a worker process of a dataloader: its run stops it
        now = time.monotonic()
        if self.received is None:
            self.received, self._received_at = signal.Signals(number), now
        elif number == signal.SIGINT or now - self._received_at > SAME_REQUEST_S:
            # Not an exception: the process may be waiting for others in a collective.
            os.write(2, f'{signal.Signals(number).name} again: ending without saving.\n'.encode())
            os._exit(128 + number)


STOP_SIGNALS = StopSignals()


def exit_status(number: int) -> int:
    """The exit status that answers a signal, once all is saved."""
    return INTERRUPTED if number == signal.SIGINT else GO_ON


def end_with_launcher() -> None:
    """End this process when the launcher that started it is gone, killed for instance.

    It gets SIGTERM, so that a training saves, and 120 seconds later SIGKILL: it may wait
    for processes that have ended. Nothing happens without ``tools/torchrun.py``.
    """
    # Taken away: a process that this one starts has another parent.
    launcher = os.environ.pop(LAUNCHER_VARIABLE, None)
    if launcher is not None:
        threading.Thread(target=_outlive, args=(int(launcher),), daemon=True).start()


def _outlive(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def protect_loader_worker(then, worker_id: int) -> None:
    """Initialize a worker process of a dataloader that outlives signals to its group.

    Launchers and schedulers signal all processes of a job. A worker that ends then
    takes its run along before that has saved. Only its own run may end it, and it ends
    within seconds when that run was killed.

    Args:
        then: The loader's own ``worker_init_fn``, or None.
        worker_id: As torch passes it.
    """
    if hasattr(signal, 'sigwaitinfo'):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Blocked in all threads, so that the one below gets it, with its sender.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_the_run, args=(os.getppid(),), daemon=True).start()
    if then is not None:
        then(worker_id)


def _end_with_the_run(parent: int) -> None:
    while os.getppid() == parent:
        request = signal.sigtimedwait({signal.SIGTERM}, 2)
        if request is not None and request.si_pid == parent:
            break
    os._exit(0)
