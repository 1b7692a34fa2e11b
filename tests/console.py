"""mbsweep as its users meet it: the commands, here or as processes of their own, and the files they leave."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from mbsweep.commands.app import app

COMMAND = [sys.executable, "-m", "mbsweep"]


def call(*words):
    """Run a command in this process; the result has exit_code, stdout, stderr and exception."""
    return CliRunner().invoke(app, [str(word) for word in words])


def start(*words, before=(), **options):
    """Start a command as a process of its own. `before`: the command line of a program that starts it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([*before, *COMMAND, *map(str, words)], **pipes)


def with_files_up_to(size_bytes):
    """For `before`: the kernel refuses to let any file grow beyond a size, as if the disk were full."""
    script = (
        "import os, resource, sys\n"
        "os.environ['PYTHONDONTWRITEBYTECODE'] = '1'  # Python would keep the beginning of what it compiles\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))\n"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    return [sys.executable, "-c", script, str(size_bytes)]


def as_a_plain_user():
    """For `before`: permissions of files are respected, also where the tests run as root."""
    script = (
        "import ctypes, os, sys\n"
        "for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH\n"
        "    ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP; a plain user has nothing to drop\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", script]


def finish(process, timeout_s=120):
    """(exit code, stdout, stderr) of a started process. One that hangs is killed."""
    with process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, out, err


def refusal(result):
    """The message of a command that refused: one line on stderr, nothing else, exit code 2, no traceback."""
    exit_code, out, err = result if isinstance(result, tuple) else _of_runner(result)
    assert "Traceback" not in err
    assert exit_code == 2, err
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err[len("error: ") : -1]


def _of_runner(result):
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, result.stderr


def wait_until(condition, process, timeout_s=90):
    """Wait until a condition holds; fail where the process ends before, or time runs out."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def contents(folder):
    """Every file under a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def query(folder, sql):
    """Rows of a run's SQLite file, without mbsweep."""
    with closing(sqlite3.connect(f"file:{folder}/run.sqlite?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def execute(folder, sql, values=()):
    """Change a run's SQLite file, without mbsweep."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute(sql, values)


def curves(folder):
    """(variant, seed, attempt, epoch) -> what that epoch gave, but for its seconds."""
    rows = query(
        folder,
        "SELECT variant, seed, attempt, epoch, learning_rate, train_loss, train_top1_pct, validation_loss, "
        "validation_top1_pct FROM epochs",
    )
    return {row[:4]: row[4:] for row in rows}


def visits(folder):
    """(config, variant, round) -> the rest of the row, of every visit of a run."""
    rows = query(folder, "SELECT config, variant, round, session, ended_utc, samples FROM visits")
    return {row[:3]: row[3:] for row in rows}


def visit_count(folder):
    """Visits of a run that another process is writing; 0 where there is no run yet."""
    try:
        return query(folder, "SELECT count(*) FROM visits")[0][0]
    except sqlite3.OperationalError:
        return 0


def copied(folder, tmp_path):
    """A copy of a run that may be changed."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def rewritten(sweep, tmp_path, *replacements):
    """A copy of a sweep file, under the same name, with each (old, new) replaced."""
    text = sweep.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / sweep.name
    path.write_text(text, encoding="utf-8")
    return path
