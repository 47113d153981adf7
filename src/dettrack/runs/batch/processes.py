"""The engine `processes`: worker processes of this machine, each with models of its own.

On Linux workers are forked off a server process that has imported all modules and done nothing else, so that a worker
that died is replaced in a moment, and the code is in memory once. Elsewhere each is started afresh.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dettrack.runs.batch.manifest import last_frame
from dettrack.runs.batch.tasks import Death, Outcome, Task
from dettrack.threads import exit_with_parent
from dettrack.video.isolated import CONTEXT, death_of

__all__ = ["Processes"]

CONTEXT.set_forkserver_preload(["dettrack.runs.batch.worker", "dettrack.formats.table", "dettrack.formats.jsonl"])


class Processes:
    """An `Engine` (see there). Workers are started when they are first needed, without anything of their parent."""

    def __init__(self, size: int, folder: Path, memory_gib: float = 0.0) -> None:
        """Nothing is started yet.

        Args:
            size: Number of workers.
            folder: `OUT/batch.state`.
            memory_gib: Bound on what each may allocate, in GiB; 0 for none.
        """
        self.size = size
        self._folder, self._memory_gib = folder, memory_gib
        self._free: list[_Process] = []
        self._busy: dict[Any, tuple[_Process, Task]] = {}
        self._started = 0

    def start(self, task: Task) -> str:
        """See `Engine.start`."""
        process = next((one for one in self._free if one.process.is_alive()), None)
        if process is None:
            self._started += 1
            name = f"{socket.gethostname()}-{os.getpid()}-{self._started}"
            process = _Process(name, self._folder, self._memory_gib)
        else:
            self._free.remove(process)
        with suppress(OSError):  # it died just now: `wait` will find that
            process.pipe.send(task)
        self._busy[process.pipe] = process, task
        return process.name

    def wait(self, timeout_s: float) -> Sequence[tuple[Task, Outcome | Death]]:
        """See `Engine.wait`."""
        ended: list[tuple[Task, Outcome | Death]] = []
        for pipe in wait(list(self._busy), timeout_s):
            process, task = self._busy.pop(pipe)
            try:
                ended.append((task, process.pipe.recv()))
                self._free.append(process)
            except (EOFError, OSError):
                ended.append((task, process.death(self._folder)))
        return ended

    def close(self) -> None:
        """See `Engine.close`."""
        everyone = [*self._free, *(process for process, _ in self._busy.values())]
        for process in everyone:
            process.pipe.close()
            process.process.terminate()
        for process in everyone:
            process.end(self._folder)
        self._free, self._busy = [], {}


class _Process:
    """A worker process, and our end of the pipe to it."""

    def __init__(self, name: str, folder: Path, memory_gib: float) -> None:
        self.name = name
        self.pipe, theirs = CONTEXT.Pipe()
        arguments = (theirs, name, folder, memory_gib)
        self.process: BaseProcess = CONTEXT.Process(target=_work, args=arguments, name=f"dettrack {name}")  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()  # or the end of the worker would not be seen here

    def death(self, folder: Path) -> Death:
        """What is known of its end."""
        self.pipe.close()
        frame = self.end(folder)
        return Death(death_of(self.process.exitcode), frame)

    def end(self, folder: Path) -> int | None:
        """Wait for its end, which is brought about if it takes long, and say which frame was its last."""
        self.process.join(5.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return last_frame(folder, self.name)


def _work(pipe: Connection, name: str, folder: Path, memory_gib: float) -> None:
    """A worker's life: tasks from the pipe, answers into it, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal; the parent decides
    threading.Thread(target=exit_with_parent, name="dettrack parent", daemon=True).start()
    if memory_gib:
        _bound_memory(memory_gib)
    CONTEXT.set_forkserver_preload(["dettrack.video.isolated"])  # decoders have a server of their own, which needs less
    from dettrack.runs.batch.worker import Worker  # heavy

    with Worker(name, folder) as worker:
        while True:
            try:
                task = pipe.recv()
            except (EOFError, OSError):
                return
            pipe.send(worker.run(task))


def _bound_memory(gib: float) -> None:
    """More than so much private memory is refused, which is an error in Python, instead of killed by the system."""
    import resource

    bound = int(gib * (1 << 30))
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
