"""`mbsweep reproduce`: published tables beside exact counts, with a mark on what does not follow."""

from __future__ import annotations

EXAMPLE = "mbsweep reproduce"


def reproduce() -> None:
    """Print published tables beside exact counts; mark what differs.

    The paper's Tables 4 to 7 and the model zoo's.
    """
    from mbsweep.commands._published import print_tables

    print_tables()
