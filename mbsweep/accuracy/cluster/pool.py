"""Networks are trained and tested by the nodes of a Ray cluster. Loads neither Ray nor torch."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from mbsweep.accuracy.cluster.connecting import LOCAL, check_installed, reach
from mbsweep.accuracy.cluster.link import Link
from mbsweep.accuracy.cluster.looking import Node, none_left, this_machine
from mbsweep.accuracy.cluster.team import RayTeam
from mbsweep.accuracy.training.pool import Pool, Team
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import temporary_folder
from mbsweep.base.progress import Progress

_LONGEST = 10  # of the folder for temporary files: sockets' names, which Ray makes in it, have 107 characters


class RayPool(Pool):
    """The nodes of a cluster. address: `local`, a cluster on this machine for this run alone; `auto`, the one
    that runs here; else its HOST:PORT, or ray://HOST:PORT.
    """

    def __init__(self, address: str, jobs: int | None = None) -> None:
        self.address, self.jobs = address, jobs
        self._nodes: list[Node] | None = None
        self._link: Link | None = None
        self._stack = ExitStack()

    def check(self, stay: Progress | None = None) -> None:
        """See Pool; of `local` it looks only whether there is Ray."""
        if stay and self.address != LOCAL:
            self._linked(stay)  # which may know some of the nodes only, so far
        elif all(node.why_not for node in self.look()):
            raise MbsweepError(none_left(self.address, self.look()))

    def look(self) -> list[Node]:
        """What the cluster has; of `local` what this machine has. MbsweepError where it cannot be reached."""
        check_installed()
        if self._nodes is None:
            reach(self.address)
            if self.address == LOCAL:
                self._nodes = [this_machine()]
            else:
                with Link(self.address, only_look=True) as link:
                    self._nodes = link.ready()
        return self._nodes

    def trainers(self, trainings: int, progress: Progress) -> Team:
        """Processes of one thread each, or of a GPU."""
        return RayTeam(self._linked(progress), min(self.jobs or sys.maxsize, trainings), progress)

    def testers(self, progress: Progress) -> Team:
        """As those that train."""
        return RayTeam(self._linked(progress), self.jobs or sys.maxsize, progress)

    def at_once(self) -> int:
        """As many as the cluster has CPUs, or GPUs where it has any."""
        usable = [node for node in self.look() if not node.why_not]
        gpus = sum(min(node.gpus, node.cpus) for node in usable)
        return max(1, min(self.jobs or sys.maxsize, gpus or sum(node.cpus for node in usable)))

    def close(self) -> None:
        """Leave the cluster, which ends what runs there for this run."""
        self._link = None
        self._stack.close()

    def _linked(self, progress: Progress) -> Link:
        """In touch with the cluster from the first part of the run on that needs it."""
        if self._link is None:
            check_installed()
            reach(self.address)
            folder = None
            if self.address == LOCAL:
                parent = Path(tempfile.gettempdir())
                if len(str(parent)) > _LONGEST:
                    parent = Path("/tmp")  # noqa: S108
                folder = self._stack.enter_context(temporary_folder(parent, "ray"))
            link = self._stack.enter_context(Link(self.address, folder=folder))
            link.say = progress.say
            link.ready()
            self._link = link
        return self._link
