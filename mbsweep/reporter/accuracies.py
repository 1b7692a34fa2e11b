"""What a page says about accuracies: where they come from, which are missing, how they were obtained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mbsweep.accuracy.settings import Recipe, SupernetAccuracy, TrainedAccuracy

if TYPE_CHECKING:
    from mbsweep.reporter.facts import Part

OPEN = ("batch", "learning_rate")  # settings of a recipe that may be left open
MOST_REASONS = 4  # that are told in one sentence; the details of a variant have its own
# Words of a reason or a note -> what it is called where these are counted.
SHORT_REASONS = {
    "stalled at chance": "stalled at chance",
    "started late": "started late",
    "next to nothing": "has learnt next to nothing",
    "was stopped by halving": "stopped by halving",
    "was begun anew": "stalled or diverged, and was begun anew",
}


def accuracy_fact(parts: Sequence[Part], table: pd.DataFrame) -> str:
    """Each source, and for how many variants it knows the accuracy at each precision."""
    said = []
    for source in dict.fromkeys(part.about["accuracy_source"] for part in parts):
        if not source:
            continue
        asking = {part.name for part in parts if part.about["accuracy_source"] == source}
        rows = table[table["run"].isin(asking)]
        known = ",".join(f"{at} for {count:,} of {total:,} variants" for at, count, total, _ in _known(rows))
        said.append(f"{source}{', ' if _is_table(rows) else ': '}known{known}")
    return "; ".join(said) or ("the sweeps name" if len(parts) > 1 else "the sweep names") + " no source"


def accuracy_gaps(source: str | None, rows: pd.DataFrame) -> list[str]:
    """What the figures of accuracy lack, of the rows of one run."""
    if not source:
        return ["The sweep names no accuracy source, so no figure shows accuracy."]
    found = []
    for at, known, total, variants in _known(rows):
        if known == total:
            continue
        if not _is_table(rows):
            found.append(_missing(source, at, known, total, variants))
        elif not known:
            found.append(
                f"{source} has no figure for any of these networks{at}, so no figure shows accuracy{at}."
            )
        else:
            found.append(
                f"{source} gives the accuracy{at} of {known:,} of {total:,} variants; the other "
                f"{total - known:,} are missing in the figures of accuracy{at}."
            )
    return found


def _is_table(rows: pd.DataFrame) -> bool:
    """Whether accuracies come from a table of the literature, which has a figure for a network or has not."""
    return bool((rows["top1_kind"].dropna() == "published").all())


def _known(rows: pd.DataFrame) -> Iterator[tuple[str, int, int, pd.DataFrame]]:
    """For each precision: ` at int8` (nothing for fp32), variants of known accuracy, all, and their rows."""
    for precision, group in rows.fillna({"precision": "fp32"}).groupby("precision", sort=False):
        at = "" if precision == "fp32" else f" at {precision}"
        variants = group.drop_duplicates("variant")
        yield at, int(variants["top1_pct"].notna().sum()), len(variants), variants


def _missing(source: str, at: str, known: int, total: int, variants: pd.DataFrame) -> str:
    """`Trained on ...: accuracy known of 7 of 9 variants; of the others: 1 stalled at chance; ...`"""
    reasons = Counter(_short(reason) for reason in variants.loc[variants["top1_pct"].isna(), "top1_reason"])
    said = [f"{count:,} {reason}" for reason, count in reasons.most_common(MOST_REASONS)]
    if rest := reasons.total() - sum(count for _, count in reasons.most_common(MOST_REASONS)):
        said.append(f"{rest:,} for other reasons")
    begin = f"{source[0].upper()}{source[1:]}: accuracy{at} known of"
    if not known:
        only = f" ({next(iter(reasons))})" if len(reasons) == 1 else f": {'; '.join(said)}"
        return f"{begin} no variant{only}, so no figure shows accuracy{at}."
    return f"{begin} {known:,} of {total:,} variants; of the others: {'; '.join(said)}."


def _short(reason: Any, who: str = "") -> str:
    """A reason, or a note, in few words. who: comes before them."""
    if not isinstance(reason, str):
        return "unknown"
    kinds = [f"{who}{short}" for words, short in SHORT_REASONS.items() if words in reason]
    return " or ".join(kinds) if kinds else reason.replace("; ", ", ")


def accuracy_doubts(parts: Sequence[Part], table: pd.DataFrame) -> list[str]:
    """What is noted about accuracies that were trained: how many variants each remark is about."""
    rows = table[table["top1_kind"].isin(["trained", "supernet"]) & table["top1_note"].notna()]
    rows = rows[rows["top1_pct"].notna()].drop_duplicates(["run", "variant"])
    found = []
    for run, group in rows.groupby("run", sort=False):
        whose = "" if len(parts) == 1 else f"{run}, "
        notes = Counter(_short(note, "a seed ") for note in group["top1_note"])
        said = [f"{count:,} variant{'s' if count > 1 else ''}: {note}" for note, count in notes.most_common()]
        rest = [f"{len(said) - MOST_REASONS:,} more remarks"] if len(said) > MOST_REASONS else []
        found.append(f"{whose}accuracy of {'; of '.join([*said[:MOST_REASONS], *rest])}.")
    return found


def how_obtained(parts: Sequence[Part], table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each run that trained: its name, and in sentences on what, how, and what its intervals cover."""
    found = []
    for part in parts:
        config, rows = part.accuracy, table[table["run"] == part.name]
        datasets = rows["dataset"].dropna().unique()
        if isinstance(config, TrainedAccuracy | SupernetAccuracy) and len(datasets):
            # Of a run whose sweep has changed, what the sweep says now is what the table shows.
            said = list(_training(config, str(datasets[0]), part))
            said.append(_interval(config, has_any=bool(rows["top1_low_pct"].notna().any())))
            sizes, _ = part.about["datasets"].get(str(datasets[0]), ({}, []))
            recipe = config.recipe.complete(sizes["train"]) if sizes else config.recipe
            found.append({"run": part.name, "sentences": said, "recipe": recipe_words(recipe)})
    return found


_RULES = (
    "The choice of the epoch, early stopping and halving see the validation part only, and the detection of "
    "stalls the training loss, too; the table reports the test part, on which each network is tested once, "
    "at the end."
)


def _training(config: TrainedAccuracy | SupernetAccuracy, dataset: str, part: Part) -> Iterator[str]:
    sizes, notes = part.about["datasets"].get(dataset, ({}, []))
    on = f"on {dataset}{_images(sizes)}"
    if isinstance(config, SupernetAccuracy):
        yield f"One network that holds all variants was trained {on}, with seed {config.seed}."
        yield "Each variant was then tested with its part of the weights and batch normalisation of its own."
        yield "The weights are those of the last epoch; the table reports the test part."
        yield from _remarks(notes)
        return
    seeds = ", ".join(map(str, config.seeds))
    yield f"Each variant was trained by itself {on}, with seed{'s' if len(config.seeds) > 1 else ''} {seeds}."
    if config.budget.halving:
        first, factor = config.budget.halving.min_epochs, config.budget.halving.factor
        yield f"Successive halving stopped weak variants: from epoch {first} on, one of {factor} went on."
    if config.budget.minutes is not None:
        yield f"Training was given {config.budget.minutes:g} minutes."
    yield _RULES
    yield from _remarks(notes)


def _images(sizes: Mapping[str, int]) -> str:
    """` (8,000 images to train on, 1,000 for validation, 4,000 to test)`, as far as it is known."""
    if not sizes:
        return ""
    parts = f"{sizes['train']:,} images to train on, {sizes['validation']:,} for validation"
    return f" ({parts}, {sizes['test']:,} to test)"


def _remarks(notes: Sequence[str]) -> Iterator[str]:
    """What is to be known of the images, such as files that were left out."""
    if notes:
        yield f"Of the images: {'; '.join(notes)}."


def _interval(config: TrainedAccuracy | SupernetAccuracy, has_any: bool) -> str:
    if isinstance(config, SupernetAccuracy):
        return "No interval is given: one training says nothing of how much another would differ."
    if not has_any:
        return "With one seed of each network, the noise of the seeds is unknown, and so is the interval."
    return (
        "Top-1 is the mean over the seeds. Its 95 % interval covers which images happen to be in the test "
        "part and which seeds happened to be drawn, with what all variants say of their noise; not what "
        "another recipe, or images of another kind, would give."
    )


def recipe_words(recipe: Recipe) -> str:
    """`9 epochs, batch 64, optimizer sgd, ...`: every setting."""
    settings = {name: value for name, value in recipe.settings.items() if value or name not in OPEN}
    epochs = settings.pop("epochs")
    words = []
    for name, value in settings.items():
        unit = " %" if name.endswith("_pct") else ""
        words.append(f"{name.removesuffix('_pct').replace('_', ' ')} {_setting(value)}{unit}")
    return ", ".join([f"{epochs} epoch{'s' if epochs > 1 else ''}", *words])


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")
