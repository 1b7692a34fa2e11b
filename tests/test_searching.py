"""A search in a run: what it evaluates, how it goes on after a kill, what it ends with."""

import math
import os
import random
import signal
from pathlib import Path

import brightness
import numpy as np
import pytest
import stand_in
import stand_in_training
from console import call, copied, execute, query, refusal, wait_until

from mbsweep import open_run
from mbsweep.accuracy.published import accuracy_figures
from mbsweep.accuracy.source import Opened
from mbsweep.accuracy.training import worker as training_worker
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Silent
from mbsweep.pipeline import run
from mbsweep.profiler import worker as latency_worker
from mbsweep.space.counting import count
from mbsweep.sweep.sweep import kept_sweep, load_sweep, parse_sweep

SPACE = "space: {width: [0.25, 0.5, 0.75, 1.0], resolution: [128, 160, 192, 224]}\n"
PUBLISHED = SPACE + "accuracy: {source: published, table: tf-slim-2018-08-02}\n"
SEARCH = "search: {objectives: [top1_pct, macs], evaluations: 9, start: 3, method: random"
FIGURES = {
    figure.variant: figure.top1_pct
    for figure in reversed(accuracy_figures())
    if (figure.table, figure.precision) == ("tf-slim-2018-08-02", "fp32")
}


def searched(folder, text, **asked):
    """A run of a sweep."""
    return run(parse_sweep(text, "s.yaml"), folder, **asked)


def evaluations(folder):
    """All that is kept of the choices, but for when they were made."""
    names = "number, batch, variant, why, predicted_pct, low_pct, high_pct, gain, value_pct, state, reason"
    return query(folder, f"SELECT {names}, hypervolume, place FROM evaluations ORDER BY number")  # noqa: S608


@pytest.fixture(scope="module")
def of_nine(tmp_path_factory):
    """A search of 9 evaluations among the 16 published networks."""
    folder = tmp_path_factory.mktemp("searched") / "run"
    searched(folder, f"{PUBLISHED}{SEARCH}}}\n")
    return folder


def test_what_is_evaluated_is_in_the_table_and_nothing_else(of_nine):
    """Nine of the sixteen, in the order of the choices, each with its published accuracy and exact counts."""
    table = open_run(of_nine).table()
    assert table["variant"].tolist() == [row[2] for row in evaluations(of_nine)]
    assert len(table) == 9
    known = {variant.id: (top1, count(variant).macs) for variant, top1 in FIGURES.items()}
    found = dict(zip(table["variant"], zip(table["top1_pct"], table["macs"], strict=True), strict=True))
    assert found == {id_: known[id_] for id_ in found}


def test_the_toy_finds_nearly_all_of_the_front_that_enumeration_finds(tmp_path):
    """sweeps/search_published.yaml, 9 evaluations of the 14 networks in its budget: at least 98 % of what all
    14 dominate, above the accuracy of the least; no network that is not among the 14.
    """
    sweep = Path(__file__).parents[1] / "sweeps/search_published.yaml"
    table = run(load_sweep(sweep), tmp_path / "run").table()
    macs = {variant.id: count(variant).macs for variant in FIGURES}
    kept = {variant.id: top1 for variant, top1 in FIGURES.items() if macs[variant.id] <= 350e6}
    assert len(kept) == 14
    assert set(table["variant"]) <= set(kept)

    def dominated(names):
        area, best = 0.0, min(kept.values())
        stairs = sorted((macs[name], kept[name]) for name in names)
        for (cost, value), (following, _) in zip(stairs, [*stairs[1:], (350e6, 0)], strict=True):
            best = max(best, value)
            area += (following - cost) * (best - min(kept.values()))
        return area

    assert dominated(table["variant"]) >= 0.98 * dominated(kept)


def test_hypervolume_grows_to_what_the_evaluated_dominate(of_nine):
    """Never less than before; at the end the area under the staircase of the evaluated, counted by hand."""
    rows = evaluations(of_nine)
    shares = [row[11] for row in rows]
    assert shares == sorted(shares)
    macs = {variant.id: count(variant).macs for variant in FIGURES}
    least, most = min(macs.values()), max(macs.values())
    reference = most + 0.1 * (most - least)
    area, best = 0.0, -10.0
    stairs = sorted((macs[row[2]], row[8]) for row in rows)
    for place, (cost, value) in enumerate(stairs):
        best = max(best, value)
        following = stairs[place + 1][0] if place + 1 < len(stairs) else reference
        area += (following - cost) * (best + 10)
    assert shares[-1] == pytest.approx(area / ((reference - least) * 110))


def test_a_second_run_evaluates_nothing(of_nine, tmp_path):
    """And changes nothing."""
    folder = copied(of_nine, tmp_path)
    before = evaluations(folder)
    searched(folder, f"{PUBLISHED}{SEARCH}}}\n")
    assert evaluations(folder) == before


def test_more_goes_on_from_what_was_evaluated(of_nine, tmp_path):
    """By the run's own sweep; asked for once more, the sweep's file finds nothing left."""
    folder = copied(of_nine, tmp_path)
    before = evaluations(folder)
    done = call("search", folder, "--more", "4", "-q")
    assert (done.exit_code, done.stdout) == (
        0,
        f"{folder}: 13 variants, 0 latency configurations, 0 visits\n",
    )
    assert evaluations(folder)[:9] == before
    assert len(evaluations(folder)) == 13
    call("search", folder, "--more", "100", "-q")
    assert sorted(row[12] for row in evaluations(folder)) == list(range(16))
    sweep = tmp_path / "s.yaml"
    sweep.write_text(f"{PUBLISHED}{SEARCH}}}\n", encoding="utf-8")
    assert "nothing was left" in call("run", sweep, "--out", folder, "-q").stdout


def test_a_search_that_goes_on_is_not_finished_before_its_end(of_nine, tmp_path):
    """Stopped after one evaluation more, its word on what was confirmed is not that of the front any more."""

    class Stopped(Silent):
        def say(self, message):
            raise KeyboardInterrupt

    folder = copied(of_nine, tmp_path)
    assert not open_run(folder).search().is_open
    with pytest.raises(KeyboardInterrupt):
        run(kept_sweep(folder), folder, progress=Stopped(), more=2)
    assert open_run(folder).search().is_open
    run(kept_sweep(folder), folder)
    assert not open_run(folder).search().is_open


def test_no_variant_beyond_a_budget_is_evaluated(tmp_path):
    """Of 16 networks 6 have at most 80 million mult-adds, counted one by one; no other is looked at."""
    text = f"{PUBLISHED}{SEARCH}, budgets: {{macs: {{max: 80e6}}}}}}\n"
    done = searched(tmp_path / "run", text).table()
    few = {variant.id for variant in FIGURES if count(variant).macs <= 80_000_000}
    assert set(done["variant"]) == few
    assert len(few) == 6


def test_a_failed_evaluation_stays_and_the_search_goes_on(tmp_path):
    """A network that the table does not have: its reason is kept, and no other evaluation is given for it."""
    text = PUBLISHED.replace("[0.25, 0.5", "[0.3, 0.5") + SEARCH.replace("random", "exhaustive") + "}\n"
    searched(tmp_path / "run", text)
    rows = evaluations(tmp_path / "run")
    assert [row[9] for row in rows] == ["failed"] * 3 + ["done", "failed"] + ["done"] * 4
    assert rows[0][10] == "tf-slim-2018-08-02 has no figure for this network"
    assert rows[0][8] is None
    shares = [row[11] for row in rows]
    assert shares[:3] == [0, 0, 0] != shares[3:6]
    table = open_run(tmp_path / "run").table()
    assert table["top1_pct"].isna().sum() == 4


def test_variants_to_begin_with_come_first(tmp_path):
    """In the order of the file; what a variant leaves out is as in the first of the space."""
    start = "start: [{width: 1.0, resolution: 224}, {width: 0.5}]"
    searched(tmp_path / "run", f"{PUBLISHED}{SEARCH.replace('start: 3', start)}}}\n")
    begun = [row[2] for row in evaluations(tmp_path / "run")[:2]]
    assert begun == ["mobilenet_v1_w1.0_r224_d5", "mobilenet_v1_w0.5_r128_d5"]


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (PUBLISHED + SEARCH + ", seed: 1}\n", "s.yaml:3: search.seed was 0 when the search in "),
        (PUBLISHED + SEARCH.replace("macs", "params") + "}\n", "s.yaml:3: search.objectives was ["),
        (
            PUBLISHED.replace("0.25, ", "") + SEARCH + "}\n",
            "s.yaml:1: space has changed since the search in ",
        ),
        (
            PUBLISHED.replace("table: tf-slim-2018-08-02", "table: paper") + SEARCH + "}\n",
            "s.yaml:2: accuracy has changed since the search in ",
        ),
        (PUBLISHED, "s.yaml:1: has no `search`, and "),
    ],
    ids=["seed", "objectives", "space", "accuracy", "none"],
)
def test_another_search_is_refused_in_the_same_folder(of_nine, tmp_path, now, message):
    """What decides what is chosen has to stay; nothing in the run changes."""
    folder, sweep = copied(of_nine, tmp_path), tmp_path / "s.yaml"
    sweep.write_text(now, encoding="utf-8")
    before = (
        query(folder, "SELECT * FROM sweeps"),
        query(folder, "SELECT name FROM sqlite_master"),
        evaluations(folder),
    )
    told = refusal(call("run", sweep, "--out", folder, "-q"))
    assert message in told
    assert "choose another --out" in told
    assert refusal(call("plan", sweep, "--out", folder)) == told
    after = (
        query(folder, "SELECT * FROM sweeps"),
        query(folder, "SELECT name FROM sqlite_master"),
        evaluations(folder),
    )
    assert after == before


def test_a_search_of_a_run_that_has_none_is_refused(tiny_run):
    """With what to do."""
    assert refusal(call("search", tiny_run, "--more", "3")).endswith(
        "is the run of a sweep that searches nothing: add `search:` to it, and run it"
    )


ROW = "UPDATE evaluations SET {} WHERE number = 2"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE searches SET about = '{'", "the file is damaged"),
        ("UPDATE searches SET about = '[]'", "what is kept of its search is no mapping"),
        ("UPDATE searches SET about = json_set(about, '$.asked', 'x')", "its search has a wrong asked, 'x'"),
        ("UPDATE searches SET about = json_remove(about, '$.began')", "its search has no began"),
        (
            "UPDATE searches SET about = json_set(about, '$.settings.objectives[1]', 'x')",
            "what is kept of its search has a wrong settings.objectives.1, 'x'",
        ),
        (ROW.format("state = 'x'"), "evaluation 3 of its search is not as it was written"),
        (ROW.format("value_pct = NULL"), "evaluation 3 of its search is not as it was written"),
        (ROW.format("value_pct = 'abc'"), "evaluation 3 of its search is not as it was written"),
        (ROW.format("value_pct = 9e999"), "evaluation 3 of its search is not as it was written"),
        (ROW.format("place = 'x'"), "evaluation 3 of its search is not as it was written"),
        (ROW.format("place = 999"), "is no longer where it was in the space"),
        (ROW.format("place = -1"), "is no longer where it was in the space"),
        (ROW.format("variant = 'another'"), "evaluation 3 of its search, 'another', is no longer where it"),
    ],
)
def test_damaged_choices_are_told(of_nine, tmp_path, damage, message):
    """One line, no traceback, by whoever needs them; nothing is evaluated by them."""
    folder = copied(of_nine, tmp_path)
    execute(folder, damage)
    before = query(folder, "SELECT count(*) FROM evaluations")
    told = refusal(call("search", folder, "--more", "1", "-q"))
    assert str(folder) in told
    assert message in told
    assert query(folder, "SELECT count(*) FROM evaluations") == before
    sweep = tmp_path / "s.yaml"
    sweep.write_text(f"{PUBLISHED}{SEARCH}}}\n", encoding="utf-8")
    assert message in refusal(call("plan", sweep, "--out", folder))
    if "is no longer where" not in message:
        assert message in refusal(call("table", folder, "--search"))


PREDICTED = """\
space: {width: {from: 0.25, to: 1.0, step: 0.03}, resolution: {from: 128, to: 224, step: 4}}
accuracy: {source: predicted, table: tf-slim-2018-08-02}
search: {objectives: [top1_pct, macs], evaluations: 40, method: METHOD, seed: 3}
"""


@pytest.mark.parametrize("method", ["exact_costs"])
def test_a_search_killed_ten_times_ends_as_one_that_was_not(method, tmp_path):
    """SIGKILL at ten random moments: the same choices in the same order, each figure to the last digit."""
    sweep = tmp_path / "s.yaml"
    sweep.write_text(PREDICTED.replace("METHOD", method), encoding="utf-8")
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    searched(undisturbed, sweep.read_text(encoding="utf-8"))
    rng, loaded = (
        random.Random(10),
        stand_in.Loaded(modules=["mbsweep.searching", "scipy.optimize", "scipy.special"]),
    )
    kills, kept = 0, []
    try:
        for place in sorted(rng.sample(range(1, 39), 10)):
            process = loaded.start("run", sweep, "--out", folder)
            wait_until(lambda place=place: _chosen(folder) >= place, process)
            os.kill(process.pid, signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            now = [row for row in evaluations(folder) if row[9] != "chosen"]
            assert now[: len(kept)] == kept
            kept = now
        process = loaded.start("run", sweep, "--out", folder)
        assert process.wait() == 0
    finally:
        loaded.close()
    assert kills == 10
    assert 0 < len(kept) < 40
    assert evaluations(folder) == evaluations(undisturbed)
    fronts = [open_run(one).table()[["variant", "top1_pct", "on_front"]] for one in (folder, undisturbed)]
    assert fronts[0].equals(fronts[1])
    assert fronts[0]["on_front"].any()
    assert np.isfinite(fronts[0]["top1_pct"]).all()
    assert not math.isnan(evaluations(folder)[-1][11])


def _chosen(folder):
    """How many choices a run has, by its file; none before it is made."""
    if not (folder / "run.sqlite").exists():
        return 0
    if not query(folder, "SELECT 1 FROM sqlite_master WHERE name = 'evaluations'"):
        return 0
    return query(folder, "SELECT count(*) FROM evaluations")[0][0]


# Networks that are trained, and measured


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three classes that a tiny network learns at once."""
    return brightness.write_images(tmp_path_factory.mktemp("images") / "images")


TRAINED = "width: [0.1, 0.25, 0.5, 0.75], resolution: 16, depth: [0, 1], num_classes: 3"


def trained(images, search):
    """A sweep that searches among eight networks that are trained."""
    text = brightness.sweep_text(images, seeds="[0]", space=TRAINED)
    return f"{text}search: {{objectives: [top1_pct, macs], method: exhaustive, {search}}}\n"


def with_toys(monkeypatch, **spec):
    """Toys answer in place of trainings."""
    monkeypatch.setattr(training_worker, "COMMAND", stand_in_training.toy(**spec))


def test_a_search_is_told_the_validation_part_and_the_table_the_test_part(images, tmp_path, monkeypatch):
    """A toy of which the best epoch has 70 % of the validation part gets 50 % of the test part right."""
    with_toys(monkeypatch, curves={"0.1": [40, 70, 50], "0.25": [80]})
    folder = tmp_path / "run"
    searched(folder, trained(images, "evaluations: 3"))
    seen = {row[2]: row[8] for row in evaluations(folder)}
    assert [seen[name] for name in seen if "_w0.1_" in name] == [70, 70]
    table = open_run(folder).table()
    assert table["variant"].tolist() == list(seen)
    assert table["top1_pct"].tolist() == [50, 50, 80]


def test_a_training_that_fails_or_stalls_does_not_end_the_search(images, tmp_path, monkeypatch):
    """Its reason is kept and told; tried again, and learning, it is as any other."""
    with_toys(monkeypatch, spoils={"0.25": "diverges"}, curves={"0.5": [33]})
    folder, sweep = tmp_path / "run", tmp_path / "s.yaml"
    sweep.write_text(trained(images, "evaluations: 6"), encoding="utf-8")
    told = call("run", sweep, "--out", folder, "-q", "--jobs", "2")
    assert told.exit_code == 1
    assert "diverged" in told.stderr or "not a number" in told.stderr
    rows = {row[2]: row for row in evaluations(folder)}
    assert len(rows) == 6
    state = {name: (row[9], row[10]) for name, row in rows.items()}
    assert {state[name][0] for name in rows if "_w0.25_" in name or "_w0.5_" in name} == {"failed"}
    assert {state[name][0] for name in rows if "_w0.1_" in name} == {"done"}
    assert "the loss is not a number" in next(why for name, (_, why) in state.items() if "_w0.25_" in name)
    assert "stalled" in next(why for name, (_, why) in state.items() if "_w0.5_" in name)
    with_toys(monkeypatch)
    call("run", sweep, "--out", folder, "-q", "--retry", "--jobs", "2")
    again = {row[2]: row for row in evaluations(folder)}
    assert {again[name][9] for name in again if "_w0.25_" in name} == {"done"}
    shares = [row[11] for row in evaluations(folder)]
    assert shares == sorted(shares)


def test_a_batch_is_as_large_as_there_are_processes(images, tmp_path, monkeypatch):
    """Of two processes two; a search that goes on with one keeps to two."""
    with_toys(monkeypatch)
    folder = tmp_path / "run"
    searched(folder, trained(images, "evaluations: 4"), jobs=2)
    assert [row[1] for row in evaluations(folder)] == [0, 0, 1, 1]
    searched(folder, trained(images, "evaluations: 6"), jobs=1)
    assert [row[1] for row in evaluations(folder)] == [0, 0, 1, 1, 2, 2]


def test_latencies_are_all_measured_before_the_first_evaluation(tmp_path, monkeypatch):
    """Of the whole space; the networks that are not evaluated are in the table, and say so."""
    monkeypatch.setattr(latency_worker, "COMMAND", stand_in.toy())
    measured = "latency: [{backend: onnxruntime, rounds: 3, visit_ms: 0.1, target_pct: 90}]\n"
    search = SEARCH.replace("macs", "latency_ms") + "}\n"
    folder = tmp_path / "run"
    table = searched(folder, PUBLISHED + measured + search).table()
    assert len(table) == 16
    assert table["latency_ms"].notna().all()
    evaluated = {row[2] for row in evaluations(folder)}
    assert len(evaluated) == 9
    assert set(table.loc[table["top1_pct"].notna(), "variant"]) == evaluated
    assert set(table.loc[table["top1_pct"].isna(), "top1_reason"]) == {"not evaluated by the search"}
    assert "--again: a search goes on with the latencies it began with" in refused_again(folder)


def test_a_latency_that_nothing_keeps_is_told_once_it_is_known(tmp_path, monkeypatch):
    """With how near the nearest comes; what was measured is kept, and another budget begins the search."""
    monkeypatch.setattr(latency_worker, "COMMAND", stand_in.toy())
    measured = "latency: [{backend: onnxruntime, rounds: 3, visit_ms: 0.1, target_pct: 90}]\n"
    search = SEARCH.replace("macs", "latency_ms") + ", budgets: {latency_ms: {max: LIMIT}}}\n"
    folder, sweep = tmp_path / "run", tmp_path / "s.yaml"
    sweep.write_text((PUBLISHED + measured + search).replace("LIMIT", "1e-9"), encoding="utf-8")
    told = refusal(call("run", sweep, "--out", folder, "-q"))
    assert "s.yaml:4: search.budgets leave none of the 16 variants (latency_ms at most 1e-09: 0)" in told
    assert "the nearest, mobilenet_v1_w" in told
    visits = query(folder, "SELECT count(*) FROM visits")
    assert visits == [(48,)]
    assert open_run(folder).table()["latency_ms"].notna().sum() == 16
    sweep.write_text((PUBLISHED + measured + search).replace("LIMIT", "1e9"), encoding="utf-8")
    assert call("run", sweep, "--out", folder, "-q").exit_code == 0
    assert query(folder, "SELECT count(*) FROM visits") == visits
    assert len(evaluations(folder)) == 9


def test_a_latency_that_failed_is_measured_again_where_that_is_asked(tmp_path, monkeypatch):
    """Of all networks, so that there is no search: told with the reason. Of four: the search is among the
    others, then goes on with these, too, and its hypervolumes are as if all had been known before.
    """

    def spoil(*names):
        monkeypatch.setattr(latency_worker, "COMMAND", stand_in.toy(dict.fromkeys(names, "raises")))

    measured = "latency: [{backend: onnxruntime, rounds: 3, visit_ms: 0.1, target_pct: 90}]\n"
    folder, sweep = tmp_path / "run", tmp_path / "s.yaml"
    search = SEARCH.replace("macs", "latency_ms, macs").replace("evaluations: 9", "evaluations: 12")
    sweep.write_text(f"{PUBLISHED}{measured}{search}}}\n", encoding="utf-8")
    names = [variant.id for variant in FIGURES]
    small = [name for name in names if "_w0.25_" in name]
    spoil(*names)
    for _ in range(2):
        told = refusal(call("run", sweep, "--out", folder, "-q"))
        assert "cannot be had: onnxruntime-fp32-b1-t1: RuntimeError: no kernel for this network; " in told
        assert "--retry" in told
    spoil(*small)
    assert call("run", sweep, "--out", folder, "-q", "--retry").exit_code == 1
    before = evaluations(folder)
    assert not {row[2] for row in before} & set(small)
    spoil()
    assert call("run", sweep, "--out", folder, "-q", "--retry").exit_code == 0
    after = evaluations(folder)
    assert [row[:11] for row in after] == [row[:11] for row in before]
    reference = 568_740_352 + 0.1 * (568_740_352 - 13_570_048)  # macs; all latencies are 1 ms
    area, best = 0.0, -10.0
    macs = {variant.id: count(variant).macs for variant in FIGURES}
    stairs = sorted((macs[row[2]], row[8]) for row in after)
    for (cost, value), (following, _) in zip(stairs, [*stairs[1:], (reference, 0)], strict=True):
        best = max(best, value)
        area += (following - cost) * (best + 10)
    assert after[-1][11] == pytest.approx(area / ((reference - 13_570_048) * 110))
    assert call("search", folder, "--more", "4", "-q").exit_code == 0
    assert {row[2] for row in evaluations(folder)} == set(names)


def refused_again(folder):
    """What a run of the same sweep is refused with where it is to measure again."""
    with pytest.raises(MbsweepError) as told:
        run(kept_sweep(folder), folder, again="noisy")
    return str(told.value)


def test_what_is_trained_alone_comes_before_the_source_finishes(tmp_path, monkeypatch):
    """So that a supernet tells how far all that it was asked for can be trusted, by those networks, too."""
    calls = []
    for name in ("alone", "finish"):
        whole = getattr(Opened, name)

        def noted(self, *words, of=whole, called=name):
            calls.append(called)
            return of(self, *words)

        monkeypatch.setattr(Opened, name, noted)
    searched(tmp_path / "run", f"{PUBLISHED}{SEARCH}, confirm: 2}}\n")
    assert calls == ["alone", "finish"]
