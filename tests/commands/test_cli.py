"""The command line: what it loads, what it refuses, and that nothing is lost when it does."""

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest
import stand_in
from brightness import sweep_text, write_images
from console import (
    as_a_plain_user,
    call,
    contents,
    copied,
    execute,
    finish,
    refusal,
    rewritten,
    start,
    visits,
)

import mbsweep
import mbsweep.commands.app as app_module
from mbsweep.accuracy.published import tables
from mbsweep.accuracy.settings import Recipe
from mbsweep.commands.app import COMMANDS, loaded
from mbsweep.profiler.backends import BACKENDS
from mbsweep.space.families import FAMILIES

SPY = """
import json, sys
from mbsweep.commands.app import app
try:
    app(sys.argv[1:])
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
# The same of several commands, one after another: each with its exit code and what is loaded after it.
SPY_ON_ALL = """
import json, sys
from mbsweep.commands.app import app
for words in json.loads(sys.argv[1]):
    try:
        app(words)
    except SystemExit as ended:
        print(json.dumps([ended.code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "commands",
    [
        [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)],
        [
            ["show"],
            ["reproduce"],
            ["plan", "IMAGES"],
            ["plan", "SWEEP", "--out", "RUN"],
            ["table", "RUN", "--format", "json"],
            ["table", "RUN", "OTHER"],
            ["compare", "RUN", "OTHER"],
            ["pick", "RUN", "--max-latency-ms", "1e6"],
            ["front", "RUN"],
        ],
        [
            ["run", "SWEEP", "--out", "RUN"],  # nothing is left to measure
            ["report", "RUN", "--html", "HTML"],
        ],
    ],
    ids=["help", "what prints", "what writes"],
)
def test_torch_is_loaded_only_to_measure(commands, tiny_run, tiny_sweep, tmp_path):
    """Neither torch nor a runtime nor fvcore is imported where nothing is built or timed; nor SciPy where
    nothing is fitted.
    """
    given = {"SWEEP": tiny_sweep, "RUN": copied(tiny_run, tmp_path), "HTML": tmp_path / "html"}
    given |= {"OTHER": tiny_run, "IMAGES": tmp_path / "images.yaml"}
    given["IMAGES"].write_text(sweep_text(write_images(tmp_path / "images", train=1)), encoding="utf-8")
    typed = [[str(given.get(word, word)) for word in words] for words in commands]
    done = subprocess.run(
        [sys.executable, "-c", SPY_ON_ALL, json.dumps(typed)], capture_output=True, text=True, check=True
    )
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(told) == len(commands)
    for words, (code, modules) in zip(commands, told, strict=True):
        assert not code, words
        assert "mbsweep.commands.app" in modules
        assert not {"torch", "onnxruntime", "onnx", "fvcore"} & set(modules), words
        if words[0] in ("show", "reproduce", "plan", "table", "run"):  # and `compare` comes after these
            assert not {"scipy.optimize", "scipy.special", "scipy.stats"} & set(modules), words
        if words[-1] == "--help":
            assert not {"pandas", "plotly", "scipy", "yaml"} & set(modules), words
        if words[0] in ("--help", "--version"):
            assert not {"numpy", "pandas", "pydantic", "plotly", "yaml"} & set(modules)


def test_help_names_every_command():
    """Each with the first line of its own help, whole in 80 columns."""
    lines = call("--help").stdout.splitlines()
    groups = ["Explore:", "Measure:", "Decide:", "Train:", "Ship:"]
    assert [line for line in lines if line in groups] == groups
    listed = [line.split(None, 1) for line in lines[lines.index("Explore:") :] if line.startswith("  ")]
    assert listed == [[name, words] for name, words in COMMANDS.items()]
    assert max(map(len, lines)) <= 80
    files = {path.stem for path in Path(app_module.__file__).parent.glob("*.py") if path.stem[0] != "_"}
    assert "Did you mean 'run'" in call("rnu").stderr
    assert set(COMMANDS) == files - {"app", "exits", "options"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_what_the_list_says_and_ends_with_an_example(name):
    """The first line is that of the list of commands, the last an example, whole in 80 columns."""
    result = call(name, "--help")
    assert result.exit_code == 0
    assert call(name, "-h").stdout == result.stdout
    lines = result.stdout.splitlines()
    assert re.match(rf"Usage: \w+ {name} \[OPTIONS\]", lines[0])
    assert lines[2].strip() == COMMANDS[name]
    assert lines[-1].startswith(f"  Example: mbsweep {name}")
    assert lines[-1].removeprefix("  Example: ") == import_module(f"mbsweep.commands.{name}").EXAMPLE


def test_a_shell_completes_commands_and_options():
    """In bash, as `mbsweep --install-completion` sets it up; no command is loaded to name the commands."""

    def completed(words):
        environment = {"_MBSWEEP_COMPLETE": "complete_bash", "COMP_WORDS": words}
        environment["COMP_CWORD"] = str(words.count(" "))
        script = SPY.replace("app(sys.argv[1:])", "app([], prog_name='mbsweep')")
        done = subprocess.run(
            [sys.executable, "-c", script], env=os.environ | environment, capture_output=True, text=True
        )
        return done.stdout.split(), set(json.loads(done.stderr.splitlines()[-1]))

    names, modules = completed("mbsweep ex")
    assert names == ["extract", "export"]
    assert "mbsweep.commands.export" not in modules
    assert completed("mbsweep pick --max-p")[0] == ["--max-params", "--max-peak-activation-bytes"]


def test_version_is_the_packages():
    """`mbsweep --version`, here and as `python -m mbsweep`."""
    assert call("--version").stdout == f"mbsweep {mbsweep.__version__}\n"
    assert finish(start("--version")) == (0, f"mbsweep {mbsweep.__version__}\n", "")


def test_a_finished_run_says_what_it_has_and_what_next(tiny_run, tiny_sweep):
    """Result on stdout: the run's size, its fronts and the commands that go on from there; exit code 0."""
    result = call("run", tiny_sweep, "--out", tiny_run)
    assert (result.exit_code, result.stderr) == (0, "")
    first, *_, opened, picked, printed = result.stdout.splitlines()
    assert first == (
        f"{tiny_run}: 3 variants, 2 latency configurations, 18 visits; nothing was left to measure or train"
    )
    assert opened == f"  mbsweep open {tiny_run}"
    assert picked.startswith(f"  mbsweep pick {tiny_run} --config ")
    assert printed == f"  mbsweep table {tiny_run}"
    assert call("run", tiny_sweep, "--out", tiny_run, "-q").stdout == f"{first}\n"


def test_progress_goes_to_stderr(tiny_sweep, tmp_path):
    """A run into a pipe tells its parts on stderr; stdout has the result only.

    A busy machine may be called noisy there, too.
    """
    torch_line = "  - {backend: torch, rounds: 3, visit_ms: 1}\n"
    sweep = rewritten(tiny_sweep, tmp_path, ("[160, 128, 32]", "[32]"), (torch_line, ""))
    code, out, err = finish(start("run", sweep, "--out", tmp_path / "run"))
    assert code == 0
    assert [line for line in err.splitlines() if ": noisy: " not in line] == [
        "onnxruntime-fp32-b1-t1: prepare (1)",
        "onnxruntime-fp32-b1-t1: measure (3)",
        "onnxruntime-fp32-b1-t1: 0 of 1 intervals are as narrow as asked, 2 %; 1 unknown, of fewer than 12 "
        "visits",
    ]
    assert out.startswith(f"{tmp_path / 'run'}: 1 variants, 1 latency configurations, 3 visits\n")


BAD_SWEEPS = [  # the file, and the message behind its name
    ("space: [", ":1: not valid YAML: expected the node content, but found '<stream end>'"),
    ("- 1\n- 2\n", ":1: expected a mapping with keys such as `space:`, got list"),
    ("", ": is empty; a sweep file needs at least `space:` or `variants:`"),
    ("title: x\n", ":1: gives nothing to build; add `space:` or `variants:`"),
    (
        "space: {width: [1.0]}\nlatencies: []\n",
        ":2: latencies is an unknown key; allowed here: title, description, space, variants, limits, sample, "
        "latency, accuracy, compress, search; did you mean 'latency'?",
    ),
    (
        "space:\n  width: [1.0, 0.75, wide]\n",
        ":2: space.width[2] is 'wide'; expected a number in (0, 4], such as 0.75",
    ),
    ("space:\n  width: []\n", ":2: space.width is []; expected at least one value"),
    (
        "space:\n  resolution: [224, 0]\n",
        ":2: space.resolution[1] is 0; expected a whole number from 1 to 4096, such as 192",
    ),
    (
        "space:\n  resolution: [224.0]\n",
        ":2: space.resolution[0] is 224.0; expected a whole number from 1 to 4096, such as 192",
    ),
    (
        "space:\n  family: mobilenetv1\n",
        f":2: space.family is 'mobilenetv1'; expected one of {', '.join(FAMILIES)}; did you mean "
        "'mobilenet_v1'?",
    ),
    (
        "space: {}\nlatency:\n  - {backend: onnx_runtime}\n",
        f":3: latency[0].backend is 'onnx_runtime'; expected one of {', '.join(BACKENDS)}; "
        "did you mean 'onnxruntime'?",
    ),
    (
        "space: {}\nlatency:\n  - {backend: torch, precision: fp16}\n",
        ":3: latency[0].precision is 'fp16'; torch has fp32 and bf16; did you mean 'bf16'?",
    ),
    (
        "space: {}\nlatency:\n  - {backend: onnxruntime, mode: forward_backward}\n",
        ":3: latency[0].mode is 'forward_backward'; onnxruntime has forward; did you mean 'forward'?",
    ),
    (
        "space: {}\nlatency:\n  - backend: onnxruntime\n    memory_format: channels_last\n",
        ":4: latency[0].memory_format is 'channels_last'; onnxruntime has contiguous",
    ),
    (
        "space: {}\nlatency:\n  - {backend: onnxruntime, device: cuda}\n",
        ":3: latency[0].device is 'cuda'; onnxruntime has cpu",
    ),
    (
        "space: {}\nlatency:\n  - {backend: torch, mode: training}\n",
        ":3: latency[0].mode is 'training'; expected one of forward, forward_backward",
    ),
    (
        "space: {}\nlatency:\n  - {backend: torch, cpus: [0, 0]}\n",
        ":3: latency[0].cpus is [0, 0]; "
        "expected a list of different whole numbers from 0 to 4095, such as [0, 1]",
    ),
    (
        "space: {}\nlatency:\n  - {backend: torch, target_pct: 0}\n",
        ":3: latency[0].target_pct is 0; expected a number in (0, 100], such as 2",
    ),
    (
        "space: {}\nlatency:\n  - {backend: torch, batch: 0}\n",
        ":3: latency[0].batch is 0; expected a whole number from 1 to 4096, such as 1",
    ),
    (
        "space: {}\nlatency: [{backend: torch}, {backend: torch, rounds: 5}]\n",
        ":2: latency[1] repeats torch-fp32-b1-t1; give each configuration once",
    ),
    (
        "space: {}\naccuracy: {source: published, table: tfslim-2018-08-02}\n",
        f":2: accuracy.table is 'tfslim-2018-08-02'; expected one of {', '.join(tables())}; "
        "did you mean 'tf-slim-2018-08-02'?",
    ),
]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(("text", "message"), BAD_SWEEPS)
def test_a_bad_sweep_file_is_refused(command, text, message, tiny_run, tmp_path):
    """File, line, key, what was given, what is allowed; the run that it was meant for stays as it is."""
    folder = copied(tiny_run, tmp_path)
    sweep = tmp_path / "bad.yaml"
    sweep.write_text(text, encoding="utf-8")
    before = contents(tmp_path)
    assert refusal(call(command, sweep, "--out", folder)) == f"{sweep}{message}"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_sweep_that_is_no_file_is_refused(command, tmp_path):
    """A missing file, a directory, a name that is too long: one message, and no folder is made."""
    out = ["--out", tmp_path / "run"]
    missing = tmp_path / "missing.yaml"
    assert refusal(call(command, missing, *out)) == (
        f"{missing}: no such file; give the path of a sweep file, such as sweeps/width_res.yaml"
    )
    assert refusal(call(command, tmp_path, *out)) == (
        f"{tmp_path} is a directory; give the path of a sweep file in it"
    )
    assert refusal(call(command, "n" * 300, *out)) == f"{'n' * 300}: cannot be read: File name too long"
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_may_not_be_read_is_refused(tiny_sweep, tmp_path):
    """A file without read permission."""
    sweep = rewritten(tiny_sweep, tmp_path)
    sweep.chmod(0)
    message = refusal(finish(start("plan", sweep, before=as_a_plain_user())))
    assert message == f"{sweep}: cannot be read: Permission denied"


def a_file(place):
    place.write_bytes(b"mine")


def a_foreign_folder(place):
    place.mkdir()
    (place / "notes.txt").write_bytes(b"mine")


def a_foreign_database(place):
    place.mkdir()
    with closing(sqlite3.connect(place / "run.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")


def a_folder_for_a_file(place):
    (place / "run.sqlite").mkdir(parents=True)


def a_lock_of_the_users(place):
    place.mkdir()
    (place / "lock").write_bytes(b"combination: 12-34-56\n")


BAD_OUTS = [
    (a_lock_of_the_users, "OUT is not empty and holds no mbsweep run; choose another --out"),
    (a_file, "OUT is a file; choose another --out"),
    (a_foreign_folder, "OUT is not empty and holds no mbsweep run; choose another --out"),
    (a_foreign_database, "OUT/run.sqlite was not written by mbsweep; choose another folder"),
    (a_folder_for_a_file, "OUT is not empty and holds no mbsweep run; choose another --out"),
]


@pytest.mark.parametrize(("make", "message"), BAD_OUTS, ids=[make.__name__ for make, _ in BAD_OUTS])
def test_a_folder_that_is_no_run_is_refused(make, message, tiny_sweep, tmp_path):
    """`run` writes into no folder but its own: what stands there stays byte for byte."""
    out = tmp_path / "out"
    make(out)
    before = contents(tmp_path)
    assert refusal(call("run", tiny_sweep, "--out", out)) == message.replace("OUT", str(out))
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"out/lock"}


NOT_WRITABLE = [
    ("/proc/run", "No such file or directory"),
    ("/dev/null/run", "Not a directory"),
    ("n" * 300, "File name too long"),
]


@pytest.mark.parametrize(("out", "reason"), NOT_WRITABLE, ids=["proc", "null", "long"])
def test_a_folder_that_cannot_be_made_is_refused(out, reason, tiny_sweep):
    """Where the system lets nobody write."""
    message = refusal(call("run", tiny_sweep, "--out", out))
    assert message == f"{out}: cannot be written: {reason}; choose another --out"


def test_a_read_only_folder_is_refused(tiny_sweep, tmp_path):
    """A new run in a folder without write permission."""
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    words = ["run", tiny_sweep, "--out", locked / "run"]
    assert refusal(finish(start(*words, before=as_a_plain_user()))) == (
        f"{locked / 'run'}: cannot be written: Permission denied; choose another --out"
    )
    assert contents(tmp_path) == {}


def test_a_read_only_run_can_be_read_but_not_written(tiny_run, tiny_sweep, tmp_path):
    """A finished run without write permission: `table` prints it, `plan` counts it, `run` is refused."""
    folder = copied(tiny_run, tmp_path)
    table = call("table", folder).stdout
    for path in [*folder.iterdir(), folder]:
        path.chmod(0o555 if path == folder else 0o444)
    before = contents(folder)
    user = as_a_plain_user()
    assert finish(start("table", folder, before=user)) == (0, table, "")
    assert finish(start("plan", tiny_sweep, "--out", folder, before=user))[0] == 0
    message = refusal(finish(start("run", tiny_sweep, "--out", folder, before=user)))
    assert message == f"{folder}: cannot be written: Permission denied; choose another --out"
    assert contents(folder) == before


def test_a_cache_that_cannot_be_had_costs_no_run(tmp_path):
    """A file in its place, and no home: quantised networks are kept for this run alone, as one line says."""
    sweep = tmp_path / "int8.yaml"
    sweep.write_text(
        "space: {width: 0.1, resolution: [32, 33], depth: 0}\n"
        "latency: [{backend: onnxruntime, precision: int8, rounds: 1, visit_ms: 1}]\n"
    )
    (tmp_path / "cache").write_bytes(b"mine")
    environment = os.environ | {"MBSWEEP_CACHE": str(tmp_path / "cache")}
    code, out, err = finish(start("run", sweep, "--out", tmp_path / "run", env=environment))
    assert code == 0, err
    assert out.startswith(f"{tmp_path / 'run'}: 2 variants, 1 latency configurations, 2 visits\n")
    assert err.splitlines()[0] == (
        f"warning: the cache {tmp_path / 'cache'} cannot be used: File exists; what takes long is made anew "
        "by each command: set MBSWEEP_CACHE to a writable folder"
    )
    assert set(contents(tmp_path)) == {"int8.yaml", "cache", "run/lock", "run/run.sqlite"}


@pytest.mark.parametrize("command", ["table", "plan", "report"])
def test_a_folder_that_may_not_be_entered_is_refused(command, tiny_run, tiny_sweep, tmp_path):
    """A run within a folder without any permission: one message, no traceback."""
    (tmp_path / "closed").mkdir()
    folder = copied(tiny_run, tmp_path / "closed")
    (tmp_path / "closed").chmod(0)
    words = {
        "table": ["table", folder],
        "plan": ["plan", tiny_sweep, "--out", folder],
        "report": ["report", folder, "--html", tmp_path / "html"],
    }
    assert str(folder) in refusal(finish(start(*words[command], before=as_a_plain_user())))


@pytest.mark.parametrize("command", ["table", "plan", "report"])
def test_a_folder_with_a_name_too_long_is_refused(command, tiny_sweep, tmp_path):
    """300 characters: one message, no traceback."""
    name = "n" * 300
    words = {
        "table": ["table", name],
        "plan": ["plan", tiny_sweep, "--out", name],
        "report": ["report", name, "--html", tmp_path / "html"],
    }
    assert name in refusal(call(*words[command]))


FORMATS = {
    99: "a newer mbsweep (run format 99, this one reads 6 to 8); upgrade mbsweep, or choose another folder",
    1: "an older mbsweep (run format 1, this one reads 6 to 8); measure it anew, or choose another folder",
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("command", ["table", "plan", "run", "report", "compare", "pick", "front"])
def test_a_run_of_another_format_is_refused(command, format_, tiny_run, tiny_sweep, tmp_path):
    """Which format it is, which is known, what to do; and the run stays as it is. Those of format 1 hold no
    yardsticks, and no settings.
    """
    folder = copied(tiny_run, tmp_path)
    execute(folder, f"PRAGMA user_version = {format_}")
    before = (folder / "run.sqlite").read_bytes()
    words = {
        "table": ["table", folder],
        "plan": ["plan", tiny_sweep, "--out", folder],
        "run": ["run", tiny_sweep, "--out", folder],
        "report": ["report", folder, "--html", tmp_path / "html"],
        "compare": ["compare", tiny_run, folder],
        "pick": ["pick", folder],
        "front": ["front", folder],
    }
    assert refusal(call(*words[command])) == f"{folder} was written by {FORMATS[format_]}"
    assert (folder / "run.sqlite").read_bytes() == before


@pytest.mark.parametrize("command", ["table", "report", "compare"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_folder_without_a_run_is_refused(command, is_first, tiny_run, tmp_path):
    """The message names the file that is missing and the command that makes one, whichever folder it is."""
    out = ["--html", tmp_path / "html"] if command == "report" else []
    for folder in (tmp_path, tmp_path / "missing"):
        runs = [folder, tiny_run] if is_first else [tiny_run, folder]
        assert refusal(call(command, *runs, *out)) == (
            f"{folder} is not an mbsweep run (it has no run.sqlite); `mbsweep run SWEEP` makes one"
        )


def test_a_report_of_no_runs_is_refused(tmp_path, monkeypatch):
    """Without RUN and without a folder runs/: what to do instead."""
    monkeypatch.chdir(tmp_path)
    assert refusal(call("report")) == (
        "no run under runs/; make one with `mbsweep run SWEEP`, or name a run's folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_report_into_a_file_is_refused(tiny_run, tmp_path):
    """--html names a folder; a file of that name stays as it is."""
    (tmp_path / "html").write_bytes(b"mine")
    message = refusal(call("report", tiny_run, "--html", tmp_path / "html"))
    assert message.startswith(f"{tmp_path / 'html'}: cannot be written: ")
    assert contents(tmp_path) == {"html": b"mine"}


def test_a_disk_that_fills_up_while_measuring_loses_nothing(tiny_run, tiny_sweep, tmp_path):
    """The kernel lets the file not grow: one message, every visit stays; with room it goes on.

    What is kept and how does not depend on the runtime, so none is loaded.
    """
    folder = copied(tiny_run, tmp_path)
    longer = (
        ("[160, 128, 32]", "[32]"),
        ("rounds: 3, visit_ms: 1}", "rounds: 60, visit_ms: 1, target_pct: 1e-6}"),
    )
    sweep = rewritten(tiny_sweep, tmp_path, *longer)
    limit = (folder / "run.sqlite").stat().st_size + 20_000

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    toy = stand_in.toy(spread_pct={"mobilenet_v1_w0.25_r32_d5": 8})
    command = [toy, "run", sweep, "--out", folder]
    code, out, err = finish(stand_in.start(*command, preexec_fn=full))
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    (message,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert message == (
        f"error: {folder / 'run.sqlite'}: disk I/O error; "
        "free some space and run the same command again; what was measured is kept"
    )
    stopped = visits(folder)
    assert len(stopped) > 18
    assert stopped.items() >= visits(tiny_run).items()
    assert finish(stand_in.start(*command))[0] == 0
    assert visits(folder).items() >= stopped.items()
    assert len(visits(folder)) == 2 * 60 + 4 * 3


def test_text_of_a_sweep_file_is_never_a_path(tmp_path, monkeypatch):
    """A title and a table name that look like paths, formats or markup are text, and only text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    sweep = tmp_path / "in" / "named.yaml"
    sweep.write_text(
        "title: '../../[bold]{0}%s<script>'\ndescription: /etc/passwd\nspace: {width: [0.25]}\n",
        encoding="utf-8",
    )
    assert call("plan", sweep).stdout.startswith("../../[bold]{0}%s<script>\n")
    assert call("run", sweep).exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["in", "runs"]
    assert sorted(contents(tmp_path / "runs")) == ["named/lock", "named/run.sqlite"]


@pytest.mark.parametrize("key", ["title", "description"])
def test_half_a_character_is_refused(key, tmp_path):
    r"""YAML can write half of a surrogate pair ("\ud800"), which no file and no terminal can hold."""
    sweep = tmp_path / "half.yaml"
    sweep.write_text(f'space: {{width: [0.25]}}\n{key}: "\\ud800"\n', encoding="utf-8")
    for command in ("plan", "run"):
        assert refusal(call(command, sweep, "--out", tmp_path / "run")).startswith(f"{sweep}:2: ")
    assert list(tmp_path.iterdir()) == [sweep]


def test_an_ending_that_is_no_format_is_refused(tiny_run, tmp_path):
    """A CSV file called .xlsx would not open: the format has to be said, and then it is written."""
    table = tmp_path / "table.xlsx"
    message = f"{table}: the ending 'xlsx' is none of csv, json, md, parquet; say which with --format"
    assert refusal(call("table", tiny_run, "-o", table)) == message
    assert not table.exists()
    assert call("table", tiny_run, "-o", table, "--format", "csv").exit_code == 0
    assert table.read_text().startswith("run,variant,")


def test_a_run_that_is_named_twice_is_refused(tiny_run):
    """One run is not two devices."""
    message = f"{tiny_run} is named twice; name each run once"
    for command in ("table", "compare"):
        assert refusal(call(command, tiny_run, tiny_run)) == message


def test_train_has_the_defaults_of_a_sweep():
    """So that one network is trained as a sweep would train it."""
    options = {option.name: option.default for option in loaded("train").params}
    for name in ("epochs", "batch", "optimizer", "learning_rate", "flip"):
        assert (options[name] or 0) == getattr(Recipe(), name), name
