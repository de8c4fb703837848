"""Work that goes on in several processes at once, each forked from this one with all that it has loaded.

A worker takes one item after the other, so that nothing is imported, loaded or compiled twice; one that dies loses its
item and no other.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Died(Exception):  # noqa: N818  it is told as the outcome of an item
    """The process that worked on an item ended before it was done."""


@dataclass(slots=True)
class _Worker:
    process: int
    wire: Connection
    #: Number of the item that it works on.
    item: int


class Workers(Generic[T]):
    """So many processes, each of which does `work` for the numbers that it is given."""

    def __init__(self, work: Callable[[int], T], jobs: int) -> None:
        self._work = work
        self._jobs = max(1, jobs)
        self._running: dict[int, _Worker] = {}

    def run(self, items: Sequence[int]) -> Iterator[tuple[int, T | Died]]:
        """Yield what came of each item, as it comes; whatever ends the iteration early ends the workers too."""
        left = list(reversed(items))
        gc.freeze()  # what is there already is shared with the workers, and stays so only if nobody touches it
        try:
            while left or self._running:
                while left and len(self._running) < self._jobs:
                    self._start(left.pop())
                for wire in wait([worker.wire for worker in self._running.values()]):
                    assert isinstance(wire, Connection)  # noqa: S101  we gave it nothing else
                    worker = self._running[wire.fileno()]
                    item, outcome = worker.item, self._outcome(worker)
                    if left and not isinstance(outcome, Died):
                        worker.item = left.pop()
                        worker.wire.send(worker.item)
                    else:
                        self._end(worker)
                    yield item, outcome
        finally:
            gc.unfreeze()
            for worker in tuple(self._running.values()):
                self._end(worker)

    def _start(self, item: int) -> None:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # Ctrl-C waits until the new process ignores it and this one knows of the new process: what met it in between
        # would go on as a second one of us, or be left behind.
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = os.fork()
            if process == 0:
                # A worker holds no end of another's pipe, or it would not notice that this process is gone.
                for other in (ours, *(worker.wire for worker in self._running.values())):
                    other.close()
                _serve(self._work, theirs)
            theirs.close()
            worker = _Worker(process, ours, item)
            self._running[ours.fileno()] = worker
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        worker.wire.send(item)

    def _outcome(self, worker: _Worker) -> T | Died:
        try:
            found: T = worker.wire.recv()
        except (EOFError, OSError):
            return Died("the process that judged it ended")
        return found

    def _end(self, worker: _Worker) -> None:
        """Tell a worker that there is no more; one that works still is stopped."""
        del self._running[worker.wire.fileno()]
        worker.wire.close()
        os.kill(worker.process, signal.SIGTERM)
        os.waitpid(worker.process, 0)


def _serve(work: Callable[[int], T], wire: Connection) -> None:
    """Work until there is nothing more, and end this process; it never returns."""
    # Ctrl-C reaches every process of the terminal; the one that started us says what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = 1
    try:
        while True:
            wire.send(work(wire.recv()))
    except (EOFError, OSError):
        code = 0
    finally:
        os._exit(code)
