"""Networks are trained and tested by the nodes of a Ray cluster. Loads neither Ray nor torch."""

from __future__ import annotations

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.training.pool import Pool, Team
from mbsweep.base.progress import Progress


class RayPool(Pool):
    """The nodes of a cluster. address: `local`, a cluster on this machine for this run alone; `auto`, the one
    that runs here; else its HOST:PORT, or ray://HOST:PORT.
    """

    def __init__(self, address: str, jobs: int | None = None) -> None:
        self.address, self.jobs = address, jobs

    def check(self) -> None:
        """MbsweepError where it is clear beforehand that nothing can be trained there. Leaves nothing
        running; of `local` it looks only whether there is Ray.
        """
        raise NotImplementedError

    def look(self) -> list[Node]:
        """What the cluster has; of `local` what this machine has. MbsweepError where it cannot be reached."""
        raise NotImplementedError

    def trainers(self, trainings: int, progress: Progress) -> Team:
        """Processes of one thread each, or of a GPU."""
        raise NotImplementedError

    def testers(self, progress: Progress) -> Team:
        """As those that train."""
        raise NotImplementedError

    def at_once(self) -> int:
        """As many as the cluster has CPUs, or GPUs where it has any."""
        raise NotImplementedError
