"""Short names of a run's networks, as its page has them: `0.75-160`, not `mobilenet_v1_w0.75_r160_d5`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.space.families import family_of


class Names:
    """What networks of a table are called in short, no two alike: width, resolution and what else is not
    as usual, but for what all have in common; and the family, where there are several.

    The page's script has a twin of it, `short`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        """table: all rows of a run."""
        families = table["family"].unique()
        self._defaults = {name: _defaults(name) for name in families}
        self._has_several = len(families) > 1
        fields = {field for defaults in self._defaults.values() for field in defaults}
        self._differing = {
            name
            for name in fields - {"width", "resolution"}
            if name in table and table[name].nunique(dropna=False) > 1
        }
        widths = table["width"].dropna().unique() if "width" in table else ()
        # To seven digits, as a page has them, where these tell all widths apart.
        self._digits = 7 if len({f"{width:.7g}" for width in widths}) == len(widths) else 17

    def of(self, row: Mapping[str, Any] | pd.Series[Any]) -> str:
        """That of a row of the table; of a network that is code its id."""
        family = row["family"]
        if family_of(family).is_code:
            return str(row["variant"])
        usual = self._defaults[family]
        values = {name: _value(row.get(name), default) for name, default in usual.items()}
        own = [name for name in usual if values[name] != usual[name]]
        words = [
            f"{name.replace('_', ' ')} {_text(values[name])}"
            for name in own
            if name in self._differing and not (name == "depth" and "stage_depths" in own)
        ]
        width = row.get("width")
        begin = "" if width is None or pd.isna(width) else f"{self._plain(width)}-"
        of_family = f"{family} " if self._has_several else ""
        return ", ".join([f"{of_family}{begin}{row['resolution']:.0f}", *words])

    def __call__(self, rows: pd.DataFrame) -> dict[str, str]:
        """Variant -> name, of some rows of the table."""
        networks = rows.drop_duplicates("variant").to_dict("records")
        return {
            row["variant"]: self.of({str(name): value for name, value in row.items()}) for row in networks
        }

    def _plain(self, width: float) -> str:
        return np.format_float_positional(float(f"{width:.{self._digits}g}"), trim="-")


def _defaults(family: str) -> dict[str, Any]:
    return {name: _listed(value) for name, value in family_of(family).defaults.items()}


def _value(found: Any, usual: Any) -> Any:
    """A field's value in a row: a list is JSON there, and what the table lacks is as usual."""
    if found is None or (isinstance(found, float) and np.isnan(found)):
        return usual
    return json.loads(found) if isinstance(usual, list) and isinstance(found, str) else found


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    """A value as a script writes it: `true`, `4`, `32-64`."""
    if isinstance(value, list):
        return "-".join(map(_text, value))
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
