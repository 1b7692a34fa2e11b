"""What is told of a search while it goes on."""

from __future__ import annotations

import math


def search_note(hypervolume: float, front: int, failed: int) -> str:
    """For `Progress.note`, beside a bar, so in few words.

    hypervolume: after the last evaluation, as a share of the reference box; NaN before the first. front: how
    many variants are on the front so far. failed: how many evaluations have.
    """
    said = [] if math.isnan(hypervolume) else [f"hypervolume {100 * hypervolume:.1f} %"]
    said.append(f"{front} on the front")
    return ", ".join(said + ([f"{failed} failed"] if failed else []))
