"""`mbsweep table --search`, and what a run that searches ends with, of made-up searches."""

import csv
import io
import shlex

import pytest
from console import call, refusal
from reporter_runs import write_run
from search_runs import FAILURE, search_run

from mbsweep import open_run
from mbsweep.commands._ending import print_ending


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A search of 30 evaluations, two of which failed, three confirmed; and two networks besides."""
    return search_run(tmp_path_factory.mktemp("search") / "run", others=2)


@pytest.fixture
def terminal(monkeypatch):
    """One of 80 columns."""
    for place in ("base.printing", "commands.table"):
        name = f"mbsweep.{place}.terminal_columns"
        monkeypatch.setattr(name, lambda: 80, raising=False)


def lines(*words):
    """What a command prints, line by line."""
    result = call(*words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout.splitlines()


def ending(capsys, folder):
    """What is printed at the end of a run, line by line, but what to call next; and that."""
    print_ending(open_run(folder))
    said, _, after = capsys.readouterr().out.partition("\n\nnext:\n")
    return said.splitlines()[1:], [shlex.split(line) for line in after.replace("\\\n", "").splitlines()]


def test_a_pipe_gets_every_evaluation(run):
    """In their order, with why, what was expected, seen and tested, and why it failed."""
    rows = list(csv.DictReader(io.StringIO("\n".join(lines("table", run, "--search")))))
    assert [int(row["evaluation"]) for row in rows] == list(range(1, 31))
    assert [row["evaluation"] for row in rows if row["state"] == "failed"] == ["5", "18"]
    assert {row["reason"] for row in rows} == {"", FAILURE}
    assert rows[0]["why"] == "to begin with"
    assert rows[0]["predicted_pct"] == ""
    assert float(rows[0]["seen_pct"]) - float(rows[0]["top1_pct"]) == pytest.approx(0.4)
    assert list(rows[0])[:5] == ["run", "evaluation", "batch", "variant", "why"]


def test_rows_and_columns_are_those_that_are_asked_for(run):
    """The front alone; sorted by a number, the largest first."""
    asked = ("--front", "--columns", "evaluation,seen_pct", "--sort", "-seen_pct")
    head, *rows = lines("table", run, "--search", *asked)
    assert head == "evaluation,seen_pct"
    seen = [float(row.partition(",")[2]) for row in rows]
    assert seen == sorted(seen, reverse=True)
    assert len(rows) == len(open_run(run).search().front)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_numbers_and_below_them_the_network_and_why(run):
    """No line is longer than the terminal is wide."""
    head, first, *others = lines("table", run, "--search")
    assert head.split() == shlex.split("no. batch ms 'expected' % 95 % seen % tested % volume %")
    assert first.split()[:2] == ["1", "1"]
    assert others[0].startswith("  0.5-32, stage channels ")
    assert any(line.endswith("to begin with") for line in others[:2])
    assert FAILURE in " ".join(line.strip() for line in others)
    assert max(map(len, [head, first, *others])) <= 80


def test_a_run_without_a_search_is_refused(run, tmp_path):
    """And so is a table of two sorts."""
    plain = write_run(tmp_path / "plain", "space: {width: [0.3, 1]}\n")
    assert refusal(call("table", plain, "--search")) == (f"{plain} has no search; its sweep needs a `search`")
    assert "two tables" in refusal(call("table", run, "--search", "--compressed"))
    assert "did you mean 'seen_pct'?" in refusal(call("table", run, "--search", "--columns", "seen"))


@pytest.mark.usefixtures("terminal")
def test_a_run_that_searches_ends_with_what_it_found(run, capsys):
    """In 15 lines of 80: how far, how much fits, hypervolume, five of the front, how far its word was off."""
    said, after = ending(capsys, run)
    assert len(said) <= 15
    assert max(map(len, said)) <= 80
    words = " ".join(line.strip() for line in said)
    assert words.startswith("search, exact_costs: 30 of 30 evaluations, 2 of which failed;")
    for told in (
        "are within the budgets.",
        "Hypervolume ",
        "more between these",
        "the intervals meet of 2 of 3.",
    ):
        assert told in words
    assert ["mbsweep", "table", str(run), "--search", "--front"] in after
    assert after[1][:5] == ["mbsweep", "pick", str(run), "--config", "onnxruntime-fp32-b1-t1-predicted"]
    assert after[-1] == ["mbsweep", "search", str(run), "--more", "20"]
    for command in after[1:-1]:
        assert call(*command[1:]).exit_code == 0


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"count": 8, "waiting": 8, "failed": ()}, "Nothing is evaluated yet."),
        (
            {"count": 8, "failed": range(8)},
            "All that were evaluated have failed; the reasons stand in the table.",
        ),
        ({"count": 12, "least_pct": 99.5, "confirmed": 0}, "that is the least asked for"),
    ],
)
@pytest.mark.usefixtures("terminal")
def test_a_search_without_a_front_says_why(made, words, tmp_path, capsys):
    """And suggests no table of it."""
    said, after = ending(capsys, search_run(tmp_path / "run", asked=60, **made))
    assert words in " ".join(line.strip() for line in said)
    assert ["mbsweep", "table", str(tmp_path / "run"), "--search"] in after
    assert after[-1] == ["mbsweep", "search", str(tmp_path / "run"), "--more", "0"]
    for command in after[1:-1]:
        assert call(*command[1:]).exit_code == 0


def test_networks_of_long_names_are_called_by_their_evaluation(run, capsys):
    """Names of 80 characters leave no place for numbers; the numbers are those of the front, by cost."""
    search = open_run(run).search()
    assert min(map(len, search.names.values())) > 60
    said, _ = ending(capsys, run)
    first_words = [line.split()[0] for line in said]
    numbers = [int(word) for word in first_words if word.isdigit()]
    best = search.front["evaluation"].tolist()
    assert len(numbers) == 5
    assert (numbers[0], numbers[-1]) == (best[0], best[-1])
    assert set(numbers) <= set(best)


def test_what_the_search_left_out_fits_no_budget_of_accuracy(run):
    """pick counts it as unknown, front leaves it out, and the table says why."""
    left = set(open_run(run).table()["variant"]) - set(open_run(run).search().rows["variant"])
    assert len(left) == 2
    picked = " ".join(lines("pick", run, "--max-latency-ms", "0.9", "--json"))
    fronts = " ".join(lines("front", run, "--json"))
    assert not any(variant in picked or variant in fronts for variant in left)
    _, *rows = lines("table", run, "--columns", "variant,top1_reason")
    told = dict(row.split(",", 1) for row in rows)
    assert {told[variant] for variant in left} == {"not evaluated by the search"}
