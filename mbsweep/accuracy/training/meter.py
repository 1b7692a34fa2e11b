"""How far an epoch is: set by the process that trains, read at any time by the one that waits for it."""

from __future__ import annotations

import os
import struct

_NUMBER = struct.Struct("d")


class Meter:
    """A number between 0 and 1 in memory that both processes can reach through a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def made(cls) -> Meter:
        """A new one, at 0. A process that is started inherits it where it is told to keep the descriptor."""
        meter = cls(os.memfd_create("mbsweep-meter"))
        meter.set(0)
        return meter

    def set(self, share: float) -> None:
        """So much is done."""
        os.pwrite(self.descriptor, _NUMBER.pack(share), 0)

    def get(self) -> float:
        """How much is done."""
        return float(_NUMBER.unpack(os.pread(self.descriptor, _NUMBER.size, 0))[0])

    def close(self) -> None:
        """Give it back."""
        os.close(self.descriptor)
