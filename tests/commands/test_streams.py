"""What the commands write to: terminals of few letters, closed and full streams; and what Ctrl-C says."""

import os
import subprocess
import sys

import pytest
from console import call, contents, finish, start


def test_letters_that_a_terminal_has_not_are_spelt_out(tmp_path):
    """PYTHONIOENCODING=ascii and a title of other letters: escapes, as on stderr, and no traceback."""
    sweep = tmp_path / "s.yaml"
    sweep.write_text("title: Größe · 大\nspace: {width: [0.25]}\n", encoding="utf-8")
    process = start("plan", sweep, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert out.startswith("Gr\\xf6\\xdfe \\xb7 \\u5927\n  variants   1\n")


SHELLS = [  # behind the command: exit code, and what stderr says
    (">&-", 2, "error: stdout is closed; direct it to /dev/null where nobody is to read it\n"),
    (">/dev/full", 2, "error: stdout: cannot be written: No space left on device\n"),
    ("| head -c 0", 1, ""),
    ("2>&- >/dev/null", 0, ""),
    ("2>&- >&-", 2, ""),
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A sweep that times nothing, and its run. Not to be changed."""
    folder = tmp_path_factory.mktemp("counted")
    (folder / "s.yaml").write_text("space: {width: [0.25, 0.5]}\n")
    assert call("run", folder / "s.yaml", "--out", folder / "run").exit_code == 0
    return folder


@pytest.mark.parametrize("words", ["table RUN", "--help"])
@pytest.mark.parametrize(("behind", "code", "says"), SHELLS)
def test_streams_that_cannot_be_written_give_one_line(words, behind, code, says, counted):
    """Closed, full, or with nobody who reads: no traceback, and nothing lands in a file of the run."""
    words = words.replace("RUN", str(counted / "run"))
    before = contents(counted)
    shell = f"set -o pipefail; {sys.executable} -m mbsweep {words} {behind}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", says)
    assert contents(counted) == before


def test_a_run_whose_stdout_is_closed_writes_nothing(counted, tmp_path):
    """It would open its file under the number of stdout, and what is meant for the user would go into it."""
    shell = f"{sys.executable} -m mbsweep run {counted / 's.yaml'} --out {tmp_path / 'run'} >&-"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, SHELLS[0][2])
    assert list(tmp_path.iterdir()) == []


STOPPED = {  # command -> what is interrupted, and what is not lost
    "run SWEEP --out OUT": ("mbsweep.pipeline.run", "measured and trained"),
    "train -o OUT.safetensors": ("mbsweep.accuracy.datasets.digits.draw", "epochs that were finished"),
    "bench --steps 1": ("mbsweep.commands._steps.time_steps", ""),
    "plan SWEEP": ("mbsweep.plan.plan", ""),
    "table RUN": ("mbsweep.table.results.open_run", ""),
    "report RUN --html OUT": ("mbsweep.table.results.open_run", ""),
    "export -o OUT.onnx": ("mbsweep.commands._exporting.export_network", ""),
    "evaluate OUT.safetensors": ("mbsweep.commands._evaluating.evaluate_network", ""),
    "show --latency": ("mbsweep.commands._layer_times.print_layer_times", ""),
}


@pytest.mark.parametrize("words", STOPPED)
def test_ctrl_c_promises_only_what_is_kept(words, counted, tmp_path, monkeypatch):
    """130 and one line. Only `run` and `train` keep what they have done."""

    def interrupted(*args, **named):
        raise KeyboardInterrupt

    place, kept = STOPPED[words]
    monkeypatch.setattr(place, interrupted)
    for name, given in (("SWEEP", counted / "s.yaml"), ("RUN", counted / "run"), ("OUT", tmp_path / "out")):
        words = words.replace(name, str(given))
    result = call(*words.split())
    assert result.exit_code == 130
    (line,) = result.stderr.splitlines()[-1:]
    if kept:
        assert kept in line
        assert line.endswith("kept: run the same command again to go on")
    else:
        assert line == "stopped"
