"""Which device did what in a run: a session of its file for each that is at work."""

from __future__ import annotations

import json

from mbsweep.accuracy.training.pool import Worker
from mbsweep.storage.store import Store


class Sessions:
    """Those of one part of a run. Each begins with the first result that comes from its device."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, int] = {}
        self._of: dict[Worker, int] = {}

    def of(self, worker: Worker) -> int:
        """That of the device which a worker works on."""
        if worker not in self._of:
            device = worker.device()
            key = json.dumps(device, sort_keys=True)
            if key not in self._known:
                self._known[key] = self._store.begin_session(*device)
            self._of[worker] = self._known[key]
        return self._of[worker]
