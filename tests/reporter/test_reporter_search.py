"""What a page tells of a search: figures, tables and sentences, of finished ones and of others."""

import html
import re

import pytest
from reporter_runs import HOSTILE, write_run
from search_runs import search_run

from mbsweep.reporter import page
from mbsweep.reporter.drawn import of_searches
from mbsweep.reporter.parts import open_parts
from mbsweep.reporter.search import searches
from mbsweep.storage.search_tables import FAILED
from mbsweep.storage.store import Store
from mbsweep.table.results import open_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search of 30 evaluations, two of which failed, three confirmed."""
    return search_run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture(scope="module")
def search(finished):
    """What that run tells of it."""
    return open_run(finished).search()


@pytest.fixture(scope="module")
def figures(finished):
    """Its figures, by their names."""
    return drawn(finished)


def section(*folders):
    """The part of a page of some runs that is about their searches."""
    parts, _ = open_parts([open_run(folder) for folder in folders])
    template = page._environment().get_template("search.html")
    return template.render(searches=searches(parts, of_searches(parts)), several=len(parts) > 1)


def drawn(*folders):
    """The figures of the searches of some runs."""
    parts, _ = open_parts([open_run(folder) for folder in folders])
    return {one.name: one.figure for of_run in of_searches(parts) for one in of_run}


def points(figure, mode="markers"):
    """Its traces that can be pointed at."""
    return [trace for trace in figure.data if trace.mode == mode and trace.customdata is not None]


def test_the_figures_have_every_evaluation(search, figures):
    """28 seen of 30, the front a line, a star for each confirmed; two crosses where it failed."""
    found, rows = figures, search.rows
    seen, stars = points(found["search_front"])
    assert sorted(seen.y) == sorted(rows["seen_pct"].dropna())
    assert len(seen.y) == 28
    (line,) = [
        trace for trace in found["search_front"].data if trace.line.shape == "hv" and trace.x[0] is not None
    ]
    best = rows[rows["on_front"]].sort_values("latency_ms")
    assert list(line.y) == best["seen_pct"].tolist()
    assert [one[0] for one in stars.customdata] == [one.variant for one in search.confirmed]
    done, broken = points(found["search_hypervolume"])
    assert list(broken.x) == [5, 18]
    assert len(done.x) == 28
    assert "failed: RuntimeError" in broken.customdata[0][1]


def test_a_point_tells_when_and_why(figures):
    """What was expected of it, what was seen and tested; those of the beginning were expected of nothing."""
    (seen, _) = points(figures["search_front"])
    told = dict(zip(range(28), (words for _, words in seen.customdata), strict=True))
    assert told[0].startswith("evaluation 1, batch 1<br>to begin with<br>seen ")
    assert "expected" not in told[0]
    assert re.search(
        r"^evaluation 30, batch 12<br>may beat .*<br>expected .* to .*<br>seen .*, tested ", told[27]
    )


def test_batches_and_the_beginning_can_be_seen(figures):
    """Every other of twelve batches has a ground; a line shows what the first eight had."""
    figure = figures["search_hypervolume"]
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [
        (first + 0.5, first + 2.5) for first in range(8, 30, 4)
    ]
    named = [trace.name for trace in figure.data if trace.name]
    assert named == ["after each evaluation", "failed", "after the 8 that it began with"]


def test_what_is_expected_of_the_whole_space_is_a_band(figures, tmp_path):
    """Where the run has it: between two steps, beside the best that is expected."""
    assert not [trace for trace in figures["search_front"].data if trace.fill]
    run = search_run(tmp_path / "run", 12)
    with Store.write(run) as store:
        expected = [{"cost": cost, "best": 95, "low": 94, "high": 97} for cost in (0.1, 0.5)]
        store.set_search(store.search() | {"expected": expected})
    (band,) = [trace for trace in drawn(run)["search_front"].data if trace.fill]
    assert list(band.x) == [0.1, 0.5]
    assert list(band.y) == [97, 97]


def test_two_costs_have_two_panels_and_no_line(tmp_path):
    """A line of a front in space would join what does not belong together."""
    run = search_run(tmp_path / "run", 12)
    with Store.write(run) as store:
        about = store.search()
        settings = about["settings"] | {"objectives": ["top1_pct", "latency_ms", "params"]}
        store.set_search(about | {"settings": settings})
    figure = drawn(run)["search_front"]
    assert [figure.layout[name].title.text for name in ("xaxis", "xaxis2")] == [
        "Latency (ms, log scale)",
        "Parameters (millions, log scale)",
    ]
    assert not [trace for trace in figure.data if trace.line.shape == "hv" and trace.x[0] is not None]


def test_the_page_has_all_of_a_finished_search(finished, search):
    """Sentences, budgets, axes, what was confirmed, a row for each evaluation with what failed."""
    told = section(finished)
    words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", told)))
    for said in (
        "exact_costs: 30 of 30 evaluations, 2 of which failed;",
        "are within the budgets. Hypervolume",
        "latency at most 0.9 ms",
        "Axis Step Points 95 % Latency (ms)",
        "stage widths, stage 5 0.5 to 1 +1.90 +1.20 to +2.60 +0.01",
        "Latency of 3, measured whole: +2.0 %",
        "failed RuntimeError: the loss is not a number",
        "--search",
    ):
        assert said in words
    table = told[told.index("What was evaluated") :]
    assert len(re.findall("<tr", table)) == 31
    assert len(re.findall('<tr class="front"', table)) == len(search.front)
    assert len(re.findall('class="figure"', told)) == 2


@pytest.mark.parametrize(
    ("made", "has", "lacks"),
    [
        (
            {"count": 8, "waiting": 8, "failed": (), "asked": 60},
            ["8 chosen and not evaluated yet; run the sweep again", "Nothing is evaluated yet."],
            ['class="figure"', "Which axes matter", "NaN", "nan"],
        ),
        (
            {"count": 8, "failed": range(8), "asked": 60},
            ["All that were evaluated have failed"],
            ['class="figure"', "nan"],
        ),
        (
            {"count": 20, "least_pct": 99.5, "confirmed": 0},
            ["least asked for; the best so far has 98.77 %", "The front so far", "word was off"],
            ["Hypervolume against", "on the front;", "measured whole:"],
        ),
        (
            {"count": 24, "waiting": 2, "confirmed": 0, "asked": 60},
            ["2 chosen and not evaluated yet", "The front so far", "Nothing of the front was measured whole"],
            ["nan"],
        ),
    ],
)
def test_a_search_that_is_not_finished_has_its_page(made, has, lacks, tmp_path):
    """Before the first evaluation; all failed; nothing as good as asked; stopped within a batch."""
    told = section(search_run(tmp_path / "run", **made))
    told = re.sub(r'<script type="application/json">.*?</script>', "", told)
    for words in has:
        assert words in told
    for words in lacks:
        assert words not in told


def test_runs_without_a_search_have_no_section(finished, tmp_path):
    """Of several runs each search is under its run's name, and its figures have names of their own."""
    plain = write_run(tmp_path / "plain", "space: {width: [0.3, 1]}\n")
    told = section(plain, finished)
    assert told.count("What was evaluated, when and why</h3>") == 1
    assert "<h3>run</h3>" in told
    parts, _ = open_parts([open_run(plain)])
    assert searches(parts, of_searches(parts)) == []
    second = search_run(tmp_path / "second", 12)
    assert list(drawn(finished, plain, second)) == [
        "search_front",
        "search_hypervolume",
        "search_front-2",
        "search_hypervolume-2",
    ]


def test_words_from_a_run_are_no_markup(tmp_path):
    """Neither why a variant was chosen, nor why it failed, nor what an axis is called."""
    run = search_run(tmp_path / "run", 12)
    with Store.write(run) as store:
        about = store.search()
        axis = {"axis": HOSTILE, "from": HOSTILE, "to": HOSTILE, "points": 1, "low": 0.5, "high": 2}
        store.set_search(about | {"account": [axis], "reference": HOSTILE})
        with store._transaction() as sql:
            sql.execute("UPDATE evaluations SET why = ?", [HOSTILE])
            failed = "reason = ?, state = ?, value_pct = NULL"
            sql.execute(f"UPDATE evaluations SET {failed} WHERE number <= 5", [HOSTILE, FAILED])  # noqa: S608
    told = section(run)
    assert "<script>alert" not in told
    assert "<img src=x" not in told
    assert html.escape("<script>alert(1)</script>") in told


def test_of_very_many_evaluations_some_are_drawn(finished, search, monkeypatch):
    """All of the front, each that moved the hypervolume, and some others; the ends among them."""
    monkeypatch.setattr("mbsweep.reporter.search_looks.MAX_POINTS", 4)
    found, rows = drawn(finished), search.rows
    (seen, _) = points(found["search_front"])
    best = rows.loc[rows["on_front"], "seen_pct"]
    assert set(best) <= set(seen.y)
    assert len(best) <= len(seen.y) <= len(best) + 4
    growing = rows.loc[rows["hypervolume_pct"].diff() > 0, "evaluation"]
    done, *_ = points(found["search_hypervolume"])
    assert set(growing) | {1, 30} <= set(done.x)
    assert len(done.x) < 28
