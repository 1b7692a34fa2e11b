"""What a notebook shows of a run: HTML that stands alone."""

import re
from html.parser import HTMLParser

from page_runs import THOUSANDS
from reporter_runs import HOSTILE, hostile_run, write_run

from mbsweep import open_run


class Read(HTMLParser):
    """The elements, and the words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """One more element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        """One more text."""
        self.words.append(data.strip())


def test_a_run_shows_its_table_and_a_plot_of_each_configuration(tmp_path):
    """Short names, intervals, units; a point for each network, a line along the front; nothing is loaded."""
    run = open_run(write_run(tmp_path / "my run", rounds=lambda variant: 12, spread=0.01))
    found = Read(run._repr_html_())
    names = [tag for tag, _ in found.tags]
    assert "my run" in found.words
    assert {"network", "ms", "95 %", "top-1 %", "1-224", "70.9", "568,740,352"} <= set(found.words)
    assert names.count("svg") == 2
    assert names.count("circle") == 2 * 16
    assert names.count("tr") == 1 + 20
    assert "and 12 more rows:" in found.words
    lines = [attrs["points"].split() for tag, attrs in found.tags if tag == "polyline"]
    across = [[float(point.split(",")[0]) for point in points] for points in lines]
    fronts = run.table().groupby("config", sort=False)["on_front"].sum().tolist()
    assert [len(points) for points in across] == fronts
    assert all(points == sorted(points) for points in across)
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not any(re.match(r"(src|href|on\w+)$", name) for _, attrs in found.tags for name in attrs)


def test_of_very_many_points_all_on_the_front_are_drawn(tmp_path, monkeypatch):
    """And some of the others."""
    run = open_run(write_run(tmp_path / "run", rounds=lambda variant: 12, spread=0.01))
    monkeypatch.setattr("mbsweep.table.notebook.MOST_POINTS", 1)
    counts = run.table().groupby("config")["on_front"].agg(["sum", "size"])
    expected = sum(front + min(1, size - front) for front, size in counts.to_numpy())
    assert [tag for tag, _ in Read(run._repr_html_()).tags].count("circle") == expected


def test_words_of_a_run_are_words(tmp_path):
    """A folder that is called like an element."""
    run = open_run(hostile_run(tmp_path / "<b onclick=x>&"))
    found = Read(run._repr_html_())
    assert "<b onclick=x>&" in found.words
    assert not {"b", "script", "img"} & {tag for tag, _ in found.tags}
    assert HOSTILE not in run._repr_html_()


def test_what_is_only_counted_or_has_no_accuracy_is_shown_too(tmp_path):
    """Without a plot; of thousands the first rows."""
    counted = open_run(write_run(tmp_path / "counted", THOUSANDS))
    found = Read(counted._repr_html_())
    assert "only counted: no latency" in found.words
    assert "svg" not in [tag for tag, _ in found.tags]
    assert "and 2,480 more rows:" in found.words


def test_of_a_run_whose_table_is_large_it_is_told_how_much_it_holds(tmp_path, monkeypatch):
    """Of 16 variants in two configurations where 31 rows are the most: the table is not made unasked."""
    run = open_run(write_run(tmp_path / "<my> run"))
    monkeypatch.setattr("mbsweep.table.results.MOST_UNASKED", 32)
    assert "table" in [tag for tag, _ in Read(run._repr_html_()).tags]
    monkeypatch.setattr("mbsweep.table.results.MOST_UNASKED", 31)
    monkeypatch.setattr(type(run), "table", lambda run: 1 / 0)
    found = Read(run._repr_html_())
    assert [tag for tag, _ in found.tags] == ["h4", "p", "code"]
    assert found.words == [
        "<my> run",
        "16 variants, 2 latency configurations, 96 visits; the table:",
        "run.table()",
    ]
