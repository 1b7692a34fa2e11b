"""A stand-in for a Ray cluster: processes of this machine that say they are of two nodes."""

from functools import partial

from mbsweep.accuracy.cluster.looking import Node
from mbsweep.accuracy.training.processes import LocalPool, LocalTeam

EPYC, XEON = "AMD EPYC 9R14 (avx2, avx512f, avx512_vnni)", "Intel Xeon E5-2686 v4 (avx2)"


def node(name, processor=EPYC, cpus=1, gpus=0, why_not=""):
    """A node of a cluster."""
    return Node(name, processor, cpus, gpus, {"python": "3.11.7", "mbsweep": "0.1.0"}, why_not)


class StandInPool(LocalPool):
    """What a run asks of a cluster is kept. fault: raised where it is looked at beforehand."""

    nodes = (node("node-a"), node("node-b", XEON))
    seats = 2
    fault = None
    asked = []  # noqa: RUF012  (of the test that made a class of its own)

    def __init__(self, address, jobs=None):
        super().__init__(jobs)
        self.asked.append((address, jobs))

    def check(self, stay=None):
        """Raises the fault."""
        self.asked.append("check")
        if self.fault:
            raise self.fault

    def look(self):
        """The nodes."""
        return list(self.nodes)

    def at_once(self):
        """So many as it has seats."""
        return self.seats

    def trainers(self, trainings, progress):
        """A process for each node."""
        self.asked.append("trainers")
        return StandInTeam(self.nodes, self.jobs or self.seats)


class StandInTeam(LocalTeam):
    """Each worker of the next node, with its processor."""

    def __init__(self, nodes, size):
        super().__init__(size, 1, ["cpu"])
        self.nodes = nodes

    def hire(self, waiting):
        """As a local team."""
        for worker in super().hire(waiting):
            if not worker.node:
                of = self.nodes[self._seats.index(worker) % len(self.nodes)]
                worker.node, worker.device = of.name, partial(device, of)
            yield worker


def device(of):
    """What a worker of a node says that it works on."""
    processor, _, instructions = of.processor.rstrip(")").partition(" (")
    found = {"processor": processor, "instructions": instructions.split(", "), "cores": of.cpus}
    found |= {"machine": "x86_64", "description": f"{processor}, {of.cpus} cores", "memory_bytes": 2**34}
    return found | {"id": of.name}, of.versions
