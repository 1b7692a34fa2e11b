"""A seat, without a cluster."""

import os
import subprocess
import sys

OPEN = "from mbsweep.accuracy.cluster.seat import Seat; print(Seat(1, 'cpu').open())"


def test_a_node_without_a_cache_is_refused(tmp_path):
    """Images go to a node once: in a folder that ends with one seat, the next would look for them in vain.
    No temporary folder is left.
    """
    env = os.environ | {"MBSWEEP_CACHE": "/dev/null/cache", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", OPEN], env=env, capture_output=True, text=True, timeout=60)
    words = "the cache cannot be used; set MBSWEEP_CACHE there to a writable folder"
    assert done.stdout.splitlines() == [str({"error": ["MbsweepError", words]})]
    assert list(tmp_path.iterdir()) == []
