"""Published latencies of other devices, beside those of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pandas as pd

from mbsweep.space.families import family_of
from mbsweep.space.variant import Variant
from mbsweep.table.columns import COLUMNS, INNER
from mbsweep.table.results import fronts

# What is known of a variant, whatever its latencies.
_NETWORK = list(COLUMNS)[list(COLUMNS).index("variant") : list(COLUMNS).index("latency_ms")]
_ACCURACY = list(COLUMNS)[list(COLUMNS).index("top1_pct") : list(COLUMNS).index("on_front")]
_ACCURACY += [name for name in INNER if name.startswith("top1_")]

PublishedRows = Callable[[Sequence[Variant]], list[dict[str, Any]]]


def published_latencies(table: pd.DataFrame, published: PublishedRows) -> pd.DataFrame:
    """Rows for the published latencies of a table's variants, each once; columns as in COLUMNS.

    published: gives them, as `mbsweep.accuracy.published.latency_rows` does. Their accuracy is what the table
    has for the variant at the same precision. They are of no run and no configuration, and have fronts of
    their own.
    """
    networks = table[[name for name in _NETWORK if name in table]].drop_duplicates("variant")
    records = cast("list[dict[str, Any]]", networks.to_dict("records"))
    ours = (record for record in records if not family_of(record["family"]).is_code)
    rows = pd.DataFrame(published([Variant.of_row(record) for record in ours]))
    if rows.empty:
        return pd.DataFrame(columns=list(table.columns))
    accuracies = table[["variant", "precision", *_ACCURACY]].fillna({"precision": "fp32"})  # only counted
    accuracies = accuracies.sort_values("top1_pct", key=pd.isna, kind="stable")  # of several runs, who knows
    accuracies = accuracies.drop_duplicates(["variant", "precision"])
    rows = rows.merge(networks, on="variant").merge(accuracies, how="left", on=["variant", "precision"])
    rows = rows.reindex(columns=list(table.columns))
    rows["on_front"] = fronts(rows)
    return rows
