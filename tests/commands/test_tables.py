"""`mbsweep table` to be read: on a terminal, in Markdown; and rows and columns that are asked for."""

import json
import re

import pytest
from console import call, refusal
from page_runs import rich_run
from reporter_runs import write_run

from mbsweep import open_run
from mbsweep.table.results import combine


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with three configurations, a failure, and networks of which no accuracy is known."""
    return rich_run(tmp_path_factory.mktemp("tables") / "rich")


@pytest.fixture
def terminal(monkeypatch):
    """One of 80 columns."""
    monkeypatch.setattr("mbsweep.base.printing.terminal_columns", lambda: 80)


def printed(*words):
    """What `mbsweep table` prints, line by line."""
    result = call("table", *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def test_a_pipe_gets_every_row_and_column_as_csv(run):
    """As pandas writes them, whatever a terminal would get."""
    table = combine([open_run(run)])
    lines = printed(run)
    assert len(lines) == 1 + len(table) == 1 + 21 * 3
    assert lines[0].split(",")[:3] == ["run", "variant", "family"]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_what_matters_on_lines_of_80(tmp_path):
    """A panel for each configuration, a line for each network by its short name."""
    folder = write_run(tmp_path / "run", rounds=lambda variant: 12, spread=0.01)
    lines = printed(folder)
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if line.startswith("network")]
    assert [cells(line) for line in titles] == [
        ["network", "ms", "95 %", "top-1 %", "M MACs", "M params", "front"]
    ] * 2
    (first, _) = (cells(line) for line in lines if line.startswith("1-224 "))
    assert (first[0], first[3:6]) == ("1-224", ["70.9", "568.7", "4.232"])
    assert re.fullmatch(r"[\d.]+ to [\d.]+", first[2])
    assert first[6] == "100 %"
    assert sum(bool(re.match(r"[\d.]+-\d+ ", line)) for line in lines) == 2 * 16


@pytest.mark.usefixtures("terminal")
def test_what_failed_is_counted_below_its_panel(run):
    """With the columns that tell why; what is unknown says so."""
    lines = printed(run)
    assert "  1 of 21 with an error: --columns variant,error" in lines
    assert any("unknown" in line for line in lines)
    assert not any("nan" in line.lower().split() for line in lines)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("words", [[], ["--columns", "variant,macs"]])
def test_of_very_many_rows_a_terminal_gets_the_first(words, run, monkeypatch):
    """And is told how many there are; a file gets all."""
    monkeypatch.setattr("mbsweep.commands._tables.MOST_ROWS", 5)
    *lines, last = printed(run, *words)
    assert last == "the first 5 of 63 rows; -o FILE writes all of them"
    assert sum(bool(re.match(r"(\d[\d.]*-|mobilenet)", line)) for line in lines) == 5


@pytest.mark.parametrize("words", [[], ["--format", "csv"]])
def test_columns_are_those_that_are_asked_for(words, run):
    """In their order; into a pipe, or as CSV."""
    lines = printed(run, "--columns", "variant, latency_ms,config", *words)
    assert lines[0] == "variant,latency_ms,config"
    assert len(lines) == 1 + 21 * 3


@pytest.mark.usefixtures("terminal")
def test_columns_on_a_terminal(run):
    """Under their names, numbers to four digits; --format csv gets CSV there, too."""
    lines = printed(run, "--columns", "variant,macs")
    assert cells(lines[0]) == ["variant", "macs"]
    assert ["mobilenet_v1_w1.0_r224_d5", "568,740,352"] in [cells(line) for line in lines]
    assert any("out of paper" in line for line in printed(run, "--columns", "variant,error"))
    assert printed(run, "--columns", "variant,macs", "--format", "csv")[0] == "variant,macs"


def test_rows_are_sorted_and_what_is_unknown_comes_last(run):
    """By the least, or with a minus by the most."""
    words = [run, "--columns", "variant,top1_pct", "--format", "json", "--sort"]
    for name, sign in (("top1_pct", 1), ("-top1_pct", -1)):
        rows = json.loads(call("table", *words, name).stdout)
        known = [row["top1_pct"] for row in rows if row["top1_pct"] is not None]
        assert known == sorted(known, key=lambda value: sign * value)
        assert 0 < len(known) < len(rows)
        assert all(row["top1_pct"] is None for row in rows[len(known) :])


def test_the_front_alone(run):
    """Those rows that are on it, in all columns."""
    table = combine([open_run(run)])
    expected = table.loc[table["on_front"], ["config", "variant"]].values.tolist()
    rows = json.loads(call("table", run, "--front", "--format", "json").stdout)
    assert [[row["config"], row["variant"]] for row in rows] == expected
    assert 0 < len(expected) < len(table)


@pytest.mark.usefixtures("terminal")
def test_an_empty_front_is_told(tmp_path):
    """Of networks whose accuracy nobody knows; a file has its head alone."""
    folder = write_run(tmp_path / "run", "space: {width: 0.5}\n")
    assert printed(folder, "--front") == ["no row is on a front"]
    assert len(printed(folder, "--front", "--format", "csv")) == 1


def test_markdown(tmp_path):
    """Eight columns, numbers to the right; to a file by its ending; a bar in a text ends no cell."""
    folder = write_run(tmp_path / "run", device="a|b")
    head, align, *rows = printed(folder, "--format", "md", "--front")
    assert head == (
        "| Variant | Latency configuration | Latency (ms) | Top-1 accuracy (%) | Mult-adds | Parameters | "
        "On the Pareto front | Probability of being on the front (%) |"
    )
    assert align == "| -- | -- | --: | --: | --: | --: | -- | --: |"
    begin = "| 0.25-128 | onnxruntime-fp32-b1-t1 | 0.3443 | 41.5 | 13,570,048 |"
    assert any(row.startswith(begin) for row in rows)
    assert {row.count("|") for row in rows} == {9}
    assert call("table", folder, "-o", tmp_path / "t.md", "--columns", "variant,device").exit_code == 0
    text = (tmp_path / "t.md").read_text()
    assert text.startswith("| Variant | Device |\n| -- | -- |\n| mobilenet_v1_w1.0_r224_d5 | a\\|b |\n")


def test_an_unknown_column_is_refused(run):
    """With those that there are, and the nearest."""
    for option in ("--columns", "--sort"):
        said = refusal(call("table", run, option, "latncy_ms"))
        assert said.startswith(f"{option} has 'latncy_ms'; expected of run, variant, family, ")
        assert said.endswith("; did you mean 'latency_ms'?")
    assert refusal(call("table", run, "--sort", "-x")).startswith("--sort has 'x'; expected of run, ")
    assert refusal(call("table", run, "--columns", "runs_on")).startswith("--columns has 'runs_on'; ")


@pytest.mark.parametrize("format_", ["csv", "json", "md"])
def test_a_column_that_is_named_twice_is_refused(format_, run):
    """No table has it twice, in no format."""
    words = ["--columns", "macs, variant,macs", "--format", format_]
    assert refusal(call("table", run, *words)) == "--columns has macs twice; name each column once"
