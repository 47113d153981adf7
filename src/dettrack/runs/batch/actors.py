"""The engine `ray`: actors of a Ray cluster, each with models of its own.

Ray places workers, reserves their share of CPUs and GPUs, and says when one is lost, with its node or alone. It retries
nothing: what is done again is decided by the manifest. Only paths and answers travel; videos and results lie on a file
system that all nodes see under the same names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dettrack.errors import MissingExtraError, UsageError
from dettrack.runs.batch.manifest import last_frame
from dettrack.runs.batch.tasks import Death, Outcome, Task
from dettrack.video.isolated import CONTEXT

__all__ = ["Actors"]


class Actors:
    """An `Engine` (see there). Never more actors than the cluster has room for: they would wait for ever."""

    def __init__(self, address: str, folder: Path, size: int = 0, num_cpus: float = 1.0, num_gpus: float = 0.0) -> None:
        """Connect.

        Args:
            address: Of a cluster, as `ray.init` takes it; "local" starts one on this machine, unless this process is
                connected to one already.
            folder: `OUT/batch.state`; the same on all nodes.
            size: Number of workers; 0 is as many as there is room for.
            num_cpus: Of each worker; may be a fraction.
            num_gpus: Of each worker; may be a fraction.

        Raises:
            MissingExtraError: Ray is not installed.
            UsageError: The cluster has no room for a worker, or cannot be reached.
        """
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("--ray", "ray") from error
        self._ray, self._ours = ray, not ray.is_initialized()
        if self._ours:
            try:
                ray.init(None if address == "local" else address, include_dashboard=False, configure_logging=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(
                    f"--ray {address}: {str(error).splitlines()[0]}; expected the address of a cluster"
                ) from error
        room = ray.cluster_resources()
        fits = min(int(room.get(name, 0.0) / share) for name, share in (("CPU", num_cpus), ("GPU", num_gpus)) if share)
        if fits < 1:
            self.close()
            raise UsageError(
                f"a worker needs --num-cpus {num_cpus:g} and --num-gpus {num_gpus:g}, and the cluster has "
                f"{room.get('CPU', 0):g} CPUs and {room.get('GPU', 0):g} GPUs"
            )
        self.size = min(size, fits) if size else fits
        self._folder = folder.absolute()
        resources: dict[str, Any] = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        self._actor = ray.remote(max_restarts=0, max_task_retries=0, **resources)(_Actor)
        self._free: list[tuple[str, Any]] = []
        self._busy: dict[Any, tuple[str, Any, Task]] = {}
        self._started = 0

    def start(self, task: Task) -> str:
        """See `Engine.start`."""
        if not self._free:
            self._started += 1
            name = f"ray-{self._ray.get_runtime_context().get_job_id()}-{self._started}"
            self._free.append((name, self._actor.remote(name, self._folder)))
        name, actor = self._free.pop()
        self._busy[actor.run.remote(task)] = name, actor, task
        return name

    def wait(self, timeout_s: float) -> Sequence[tuple[Task, Outcome | Death]]:
        """See `Engine.wait`."""
        ended: list[tuple[Task, Outcome | Death]] = []
        if not self._busy:
            return ended
        ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=timeout_s)
        for answer in ready:
            name, actor, task = self._busy.pop(answer)
            try:
                ended.append((task, self._ray.get(answer)))
                self._free.append((name, actor))
            except self._ray.exceptions.RayError as error:
                self._ray.kill(actor)
                ended.append((task, Death(_cause(error), last_frame(self._folder, name))))
        return ended

    def close(self) -> None:
        """See `Engine.close`."""
        actors = [
            *getattr(self, "_free", ()),
            *((name, actor) for name, actor, _ in getattr(self, "_busy", {}).values()),
        ]
        for name, actor in actors:
            self._ray.kill(actor)
            last_frame(self._folder, name)
        self._free, self._busy = [], {}
        if self._ours:
            self._ray.shutdown()


def _cause(error: Exception) -> str:
    """The line of Ray's long message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "exit" in line.lower() or "died" in line.lower()), type(error).__name__)[
        :200
    ]


class _Actor:
    """A worker in a process of Ray's."""

    def __init__(self, name: str, folder: Path) -> None:
        from dettrack.runs.batch.worker import Worker  # heavy

        # A process started here would import Ray's program as its main module, a second for every video.
        vars(sys.modules["__main__"]).pop("__file__", None)
        CONTEXT.set_forkserver_preload(["dettrack.video.isolated"])
        self._worker = Worker(name, folder)

    def run(self, task: Task) -> Outcome:
        return self._worker.run(task)
