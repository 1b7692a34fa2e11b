"""Tables as files: the same numbers in every format, and no file lost on the way."""

import io
import json
import math
import os
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import stand_in
from console import as_a_plain_user, call, contents, copied, finish, refusal, start, with_files_up_to
from made_runs import V1_COLUMNS

from mbsweep import MbsweepError, open_run
from mbsweep.base.files import UNFINISHED, write_file
from mbsweep.commands.table import write_table


@pytest.fixture(scope="module")
def frame(tiny_run):
    return open_run(tiny_run).table()


def assert_same(read, frame):
    """Every number to 12 digits, every text, every unknown. Empty texts are unknown in csv."""
    assert list(read.columns) == V1_COLUMNS
    assert len(read) == len(frame)
    for name in V1_COLUMNS:
        for got, expected in zip(read[name], frame[name], strict=True):
            if expected is None or (isinstance(expected, float) and math.isnan(expected)):
                assert got is None or math.isnan(got), name
            elif expected == "":
                assert got == "" or math.isnan(got), name
            elif isinstance(expected, float):
                assert got == pytest.approx(expected, rel=1e-12), name
            else:
                assert got == expected, name


def test_csv_is_the_table(tiny_run, frame):
    """What `mbsweep table RUN` prints, read by pandas."""
    result = call("table", tiny_run)
    assert result.exit_code == 0
    assert_same(pd.read_csv(io.StringIO(result.stdout)), frame)
    assert result.stdout.splitlines()[0].split(",") == V1_COLUMNS


def test_json_is_the_table(tiny_run, frame):
    """A list of records of strict JSON: unknown is null, never NaN."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    result = call("table", tiny_run, "--format", "json")
    records = json.loads(result.stdout, parse_constant=refuse)
    assert_same(pd.DataFrame(records, dtype=object), frame)
    assert records[2]["top1_pct"] is None
    assert records[0]["top1_pct"] == 45.5


def test_parquet_is_the_table(tiny_run, frame, tmp_path):
    """A file, bit for bit the same numbers."""
    result = call("table", tiny_run, "-o", tmp_path / "table.parquet")
    assert (result.exit_code, result.stdout) == (0, "")
    read = pd.read_parquet(tmp_path / "table.parquet")
    assert_same(read, frame)
    assert read["latency_ms"].to_list() == frame["latency_ms"].to_list()


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["-o", "a.csv"], b"run,variant,family"),
        (["-o", "a.json"], b"[\n"),
        (["-o", "a.parquet"], b"PAR1"),
        (["-o", "a"], b"run,variant,family"),
        (["-o", "a.csv", "--format", "json"], b"[\n"),
        (["-o", "a.csv", "--format", "parquet"], b"PAR1"),
    ],
)
def test_the_format_is_the_endings_unless_told(words, begins, tiny_run, tmp_path, monkeypatch):
    """--format wins over the ending of -o, the ending over csv."""
    monkeypatch.chdir(tmp_path)
    assert call("table", tiny_run, *words).exit_code == 0
    assert (tmp_path / words[1]).read_bytes().startswith(begins)


def test_runs_below_one_another_in_every_format(tiny_run, frame, tmp_path):
    """`mbsweep table A B`: A's rows, then B's, each with its run's name; the numbers of each run's table."""
    other = copied(tiny_run, tmp_path)
    words = ["table", tiny_run, other]
    (tmp_path / "table.json").write_text(call(*words, "--format", "json").stdout)
    assert call(*words, "-o", tmp_path / "table.parquet").exit_code == 0
    for read in (
        pd.read_csv(io.StringIO(call(*words).stdout)),
        pd.DataFrame(json.loads((tmp_path / "table.json").read_text()), dtype=object),
        pd.read_parquet(tmp_path / "table.parquet"),
    ):
        assert read["run"].to_list() == ["tiny"] * len(frame) + ["copy"] * len(frame)
        for begin in (0, len(frame)):
            assert_same(read.iloc[begin : begin + len(frame)].assign(run="tiny"), frame)


def test_unknown_numbers_of_any_kind_are_written(tmp_path):
    """NaN, None and whole columns of them: empty in csv, null in json and parquet."""
    frame = pd.DataFrame({"a": [1.5, math.nan], "b": [None, "x"], "c": [None, None], "d": [np.nan, np.nan]})
    for name in ("csv", "json", "parquet"):
        write_table(frame, name, tmp_path / f"table.{name}")
    assert (tmp_path / "table.csv").read_text() == "a,b,c,d\n1.5,,,\n,x,,\n"
    assert json.loads((tmp_path / "table.json").read_text()) == [
        {"a": 1.5, "b": None, "c": None, "d": None},
        {"a": None, "b": "x", "c": None, "d": None},
    ]
    assert pd.read_parquet(tmp_path / "table.parquet").isna().sum().to_list() == [1, 1, 2, 2]


def test_a_file_is_replaced_whole(tiny_run, tmp_path):
    """A longer file that stood there is gone; nothing else is left in the folder; the mode is the user's."""
    (tmp_path / "table.csv").write_bytes(b"old" * 100_000)
    (tmp_path / "new.csv").touch()
    assert call("table", tiny_run, "-o", tmp_path / "table.csv").exit_code == 0
    assert sorted(contents(tmp_path)) == ["new.csv", "table.csv"]
    assert (tmp_path / "table.csv").read_text() == call("table", tiny_run).stdout
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new.csv", "table.csv")}
    assert len(modes) == 1


def test_a_link_stays_a_link(tmp_path):
    """What a link points to is written, so that -o /dev/stdout does not replace a file of the system."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to("data/real.csv")
    write_file(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "data" / "real.csv").read_bytes() == b"new"


def test_a_pipe_is_written_to(tiny_run):
    """-o /dev/stdout into a pipe, as in `mbsweep table RUN -o /dev/stdout | sort`."""
    code, out, err = finish(start("table", tiny_run, "-o", "/dev/stdout"))
    assert (code, err) == (0, "")
    assert out == call("table", tiny_run).stdout


def test_a_disk_that_fills_up_leaves_the_old_file(tiny_run, tmp_path):
    """The kernel refuses the 1001st byte: the old file stays, no half of a new one, no temporary file."""
    (tmp_path / "table.csv").write_bytes(b"old")
    process = start("table", tiny_run, "-o", tmp_path / "table.csv", before=with_files_up_to(1000))
    assert refusal(finish(process)) == f"{tmp_path / 'table.csv'}: cannot be written: File too large"
    assert contents(tmp_path) == {"table.csv": b"old"}


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    """The next file that is written into the folder removes it. What another process is about to write stays,
    and so does whatever has a name of its own.
    """
    dead = tmp_path / f".net.checkpoint.0123abcd{UNFINISHED}"
    dead.write_bytes(b"half")
    mine = tmp_path / ".net.checkpoint.0123abcd"
    mine.write_bytes(b"mine")
    script = (
        "import sys; from pathlib import Path; from mbsweep.base import files\n"
        "files._locked(Path(sys.argv[1]), 'other', files._new_file); print('ready', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        (alive,) = tmp_path.glob(f".other.*{UNFINISHED}")
        write_file(tmp_path / "a", b"1")
        assert set(tmp_path.iterdir()) == {alive, mine, tmp_path / "a"}
        process.kill()
    write_file(tmp_path / "b", b"2")
    assert set(tmp_path.iterdir()) == {mine, tmp_path / "a", tmp_path / "b"}


def test_a_full_device_is_reported(tiny_run):
    """-o /dev/full, whose every write fails as on a full disk."""
    message = refusal(call("table", tiny_run, "-o", "/dev/full"))
    assert message == "/dev/full: cannot be written: No space left on device"


def test_a_full_disk_behind_stdout_is_reported(tiny_run, tiny_sweep, tmp_path):
    """`mbsweep table RUN > table.csv` on a full disk: exit code 2 and one message, not a traceback."""
    loaded = stand_in.Loaded()
    for words in ("table RUN", "plan SWEEP", "pick RUN", "front RUN", "show", "reproduce"):
        given = words.replace("RUN", str(tiny_run)).replace("SWEEP", str(tiny_sweep)).split()
        code = loaded.start(*given, prints_to="/dev/full", says_to=tmp_path / "said").wait()
        assert "No space left on device" in refusal((code, "", (tmp_path / "said").read_text())), words
    loaded.close()


def test_a_reader_that_leaves_early_gets_no_traceback(tiny_run):
    """`mbsweep table RUN | head -0`: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    process = start("table", tiny_run, stdout=writing)
    os.close(writing)
    _, _, err = finish(process)
    assert err == ""


REFUSED = [
    (["--format", "parquet"], "parquet is not text; name a file with -o FILE"),
    (["-o", "missing/table.csv"], "missing/table.csv: cannot be written: No such file or directory"),
    (["-o", "folder"], "folder: cannot be written: Is a directory"),
    (["-o", "file/table.csv"], "file/table.csv: cannot be written: Not a directory"),
    (["-o", "n" * 300], f"{'n' * 300}: cannot be written: File name too long"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_written_is_refused(words, message, tiny_run, tmp_path, monkeypatch):
    """Where, why; and no file is made or changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    assert refusal(call("table", tiny_run, *words)) == message
    assert contents(tmp_path) == {"file": b"mine"}


def test_a_read_only_folder_is_reported_and_left_alone(tiny_run, tmp_path):
    """A folder without write permission: no table is written, and the one that is there stays."""
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "table.csv").write_bytes(b"old")
    folder.chmod(0o555)
    process = start("table", tiny_run, "-o", folder / "table.csv", before=as_a_plain_user())
    message = refusal(finish(process))
    assert message == f"{folder / 'table.csv'}: cannot be written: Permission denied"
    assert contents(tmp_path) == {"locked/table.csv": b"old"}


def test_without_pyarrow_the_way_to_get_it_is_told(tiny_run, tmp_path, monkeypatch):
    """parquet is an extra: the message names the command that installs it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MbsweepError, match=r"run: pip install 'mbsweep\[parquet\]'"):
        write_table(open_run(copied(tiny_run, tmp_path)).table(), "parquet", tmp_path / "table.parquet")
    assert not (tmp_path / "table.parquet").exists()
