"""`mbsweep reproduce`: published tables beside exact counts, with a mark on what does not follow."""

from __future__ import annotations

EXAMPLE = "mbsweep reproduce"


def reproduce() -> None:
    """Print published tables beside exact counts; mark what differs.

    The paper's Tables 1, 2 and 4 to 9, and the model zoo's of MobileNet v1, v2 and v3.
    """
    from mbsweep.commands._published import print_tables

    print_tables()
