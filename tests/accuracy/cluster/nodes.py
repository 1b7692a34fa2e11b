"""A Ray cluster on this machine, in a process of its own, whose nodes come and go as a test says.

Each node has a cache of its own, so that what it needs has to be sent.
"""

import os
import socket
import sys
import tempfile

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
STORE_BYTES = 80_000_000  # the least that Ray takes is 75 MB
# A node that is switched off is found out within some seconds, in place of half a minute.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000}
QUICK |= {"health_check_timeout_ms": 2000, "health_check_failure_threshold": 2}


class Nodes:
    """The head, which trains nothing, and the others by number."""

    def __init__(self, folder):
        self.folder, self.nodes, self.count = folder, {}, 0

    def __call__(self, method, argument):
        """The answer to what was asked for."""
        return getattr(self, method)(**(argument or {}))

    def start(self, num_cpus=0):
        """The head; its address."""
        from ray.cluster_utils import Cluster

        head = {"num_cpus": num_cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        head["_system_config"] = QUICK
        head["ray_client_server_port"] = self.port()
        head |= {"include_log_monitor": False, "no_monitor": True}  # nobody is to start machines for it
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        return self.cluster.address

    def port(self):
        """One that was free, for those who come through ray://."""
        if not hasattr(self, "_port"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self._port = free.getsockname()[1]
        return self._port

    def add(self, env=None, **more):
        """A node of one CPU; its number and its cache."""
        self.count += 1
        env = {"MBSWEEP_CACHE": tempfile.mkdtemp(prefix=f"node{self.count}-", dir=self.folder), **(env or {})}
        asked = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "env_vars": env}
        self.nodes[self.count] = node = self.cluster.add_node(**{**asked, **more})
        return {"number": self.count, "cache": env["MBSWEEP_CACHE"], "id": node.node_id}

    def remove(self, number):
        """As when its machine is switched off."""
        self.cluster.remove_node(self.nodes.pop(number), allow_graceful=False)

    def settle(self):
        """Wait until the head knows which nodes are there."""
        self.cluster.wait_for_nodes()

    def remove_head(self):
        """The same of the head."""
        self.cluster.remove_node(self.cluster.head_node, allow_graceful=False)

    def end(self):
        """All of them."""
        self.cluster.shutdown()


if __name__ == "__main__":
    from mbsweep.accuracy.cluster.clearing import watched
    from mbsweep.accuracy.training.worker import end_with_parent
    from mbsweep.base.child import serve

    end_with_parent()
    clearing = watched(sys.argv[1])  # also where the tests are killed
    serve(Nodes(sys.argv[1]), is_lost=lambda: False)
