"""`mbsweep open`: a run's page in the browser, or where it is."""

import os
import re
import shutil
import webbrowser

import pytest
from console import call, contents, refusal
from reporter_runs import write_run


@pytest.fixture
def screen(monkeypatch):
    """A screen, and a browser that keeps what it is to open; it says whether it could."""
    opened = []

    def browse(address):
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    monkeypatch.setenv("DISPLAY", ":0")
    return opened


def test_a_runs_page_is_opened(tmp_path, screen, monkeypatch):
    """It lies in `reports` beside the run, and its path is printed; also for a run in the current folder."""
    run = write_run(tmp_path / "a run")
    page = tmp_path / "reports" / "a run.html"
    result = call("open", run)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{page}\n", "")
    assert screen == [page.as_uri()]
    assert sorted(contents(tmp_path / "reports")) == ["a run.html", "index.html"]
    monkeypatch.chdir(tmp_path)
    assert call("open", "a run", "--html", "pages").stdout == "pages/a run.html\n"
    assert screen[1] == (tmp_path / "pages" / "a run.html").as_uri()


def test_the_index_lists_every_page_of_the_folder(tmp_path, screen):
    """Those that were written before, also by another mbsweep, of which a title alone is told; not the user's
    own, nor what is no file: a pipe is not waited for. What one tells of itself is taken from the page, not
    from its run, which may be gone.
    """
    for name in ("one", "two"):
        run = write_run(tmp_path / name, f"title: Run <{name}>\nspace: {{width: [0.5]}}\n")
        assert call("open", run).exit_code == 0
    pages = tmp_path / "reports"
    (pages / "old #1.html").write_text("<!doctype html><title>Old &amp; gone - mbsweep</title>")
    ours = '<meta name="generator" content="mbsweep"><meta name="mbsweep-entry" content="'
    for number, told in enumerate(["[", "[]", "{&#34;title&#34;: &#34;?&#34;, &#34;runs&#34;: [{}]}"]):
        (pages / f"strange{number}.html").write_text(f'{ours}{told}"><title>&lt;s&gt; - mbsweep</title>')
    (pages / "mine.html").write_text("<!doctype html><title>Mine</title>")
    (pages / "folder.html").mkdir()
    os.mkfifo(pages / "pipe.html")
    shutil.rmtree(tmp_path / "one")
    assert call("open", tmp_path / "two").exit_code == 0
    index = (pages / "index.html").read_text()
    links = re.findall('<h2><a href="(.*)">(.*)</a></h2>', index)
    assert links == [
        ("old%20%231.html", "Old &amp; gone"),
        ("one.html", "Run &lt;one&gt;"),
        *((f"strange{number}.html", "&lt;s&gt;") for number in range(3)),
        ("two.html", "Run &lt;two&gt;"),
    ]
    assert "6 pages." in index
    assert str(tmp_path / "one") in index


def test_without_a_browser_the_path_is_printed(tmp_path, screen, monkeypatch):
    """No screen: none is started, that might draw with letters; or a browser that cannot."""
    run = write_run(tmp_path / "run")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    said = (0, f"{tmp_path / 'reports' / 'run.html'}\n", "there is no browser to open it in\n")
    result = call("open", run)
    assert (result.exit_code, result.stdout, result.stderr) == said
    assert screen == []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    result = call("open", run)
    assert (result.exit_code, result.stdout, result.stderr) == said


def test_a_file_of_the_users_is_not_written_over(tmp_path, screen):
    """Nor is anything opened."""
    run = write_run(tmp_path / "run")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "run.html").write_text("mine")
    assert "was not written by mbsweep, and would be written over" in refusal(call("open", run))
    assert screen == []


def test_what_is_no_run_is_refused(tmp_path, screen):
    """And no folder is made."""
    assert refusal(call("open", tmp_path)).startswith(f"{tmp_path} is not an mbsweep run")
    assert list(tmp_path.iterdir()) == []
