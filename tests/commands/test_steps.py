"""`mbsweep bench`: mean and standard deviation over steps in a row, as training codes print them."""

import re
import time
from unittest.mock import patch

import numpy as np
import pytest
from console import call, contents, finish, refusal, start, wait_until
from hypothesis import given
from hypothesis import strategies as st

from mbsweep import MbsweepError, Variant
from mbsweep.base.cores import usable_cores, usable_words
from mbsweep.base.quiet import busy
from mbsweep.commands._steps import far_off, spread, time_steps
from mbsweep.profiler import timing
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.prepared import Prepared

TINY = ["--width", 0.25, "--resolution", 32, "--batch", 2, "--threads", 1, "--burn-in", 2]
SEC_PER_BATCH = r"{} across {} steps, \d+\.\d{{3,}} \+/- \d+\.\d{{3,}} sec/batch"


def bench(*words):
    """The lines that `mbsweep bench` prints, but for what a busy machine adds."""
    return [line for line in bench_lines(*words) if "steps far off" not in line]


def bench_lines(*words):
    """All of them."""
    result = call("bench", *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout.splitlines()


def test_each_mode_has_a_line(tmp_path, monkeypatch):
    """What is timed, then forward alone, then forward and backward, which PyTorch has; no file is made."""
    monkeypatch.chdir(tmp_path)
    head, *lines = bench(*TINY, "--steps", 5)
    assert head.startswith("mobilenet_v1_w0.25_r32_d5, torch-fp32-b2-t1, 2 burn-in steps, on ")
    for line, mode in zip(lines, ("forward", "forward_backward"), strict=True):
        assert re.fullmatch(SEC_PER_BATCH.format(mode, 5), line)
    assert contents(tmp_path) == {}


def test_a_runtime_without_training_has_one_line():
    """ONNX Runtime runs forward only."""
    _, line = bench(*TINY, "--steps", 3, "--backend", "onnxruntime")
    assert re.fullmatch(SEC_PER_BATCH.format("forward", 3), line)


def test_a_step_that_cannot_be_is_left_out_before_anything_is_timed():
    """One image at 32 px has no training step: its forward pass is timed all the same."""
    _, left_out, forward = bench(*TINY, "--batch", 1, "--steps", 3)
    assert left_out == (
        "forward_backward is left out: batch normalisation needs more than one value per channel, and "
        "block12.dw gives one; with --batch 2 it has two"
    )
    assert re.fullmatch(SEC_PER_BATCH.format("forward", 3), forward)


def test_one_step_has_no_deviation():
    """The spread of a single step is unknown."""
    line = bench(*TINY, "--steps", 1, "--backend", "onnxruntime")[1]
    assert re.fullmatch(r"forward across 1 steps, \d+\.\d{3} \+/- nan sec/batch", line)


def test_the_threads_are_all_cores_unless_told():
    """The head names the configuration with its threads."""
    lines = time_steps(Variant(width=0.25, resolution=32), "torch", "fp32", 1, None, 1, 0)
    assert f"torch-fp32-b1-t{usable_cores()}, 0 burn-in steps" in next(lines)
    lines.close()


WRONG = [
    (["--steps", 0], "steps is 0; expected a whole number from 1 to 100000, such as 100"),
    (["--steps", -3], "steps is -3; expected a whole number from 1 to 100000, such as 100"),
    (["--burn-in", -1], "burn-in is -1; expected a whole number from 0 to 10000, such as 10"),
    (["--batch", 0], "batch is 0; expected a whole number from 1 to 4096, such as 1"),
    (["--threads", 0], "threads is 0; expected a whole number from 1 to 1024, such as 1"),
    (["--threads", 1024], f"threads is 1024; {usable_words()}"),
    (["--width", 0], "Variant: width is 0.0; expected a number in (0, 4], such as 0.75"),
    (["--resolution", 0], "Variant: resolution is 0; expected a whole number from 1 to 4096, such as 192"),
    (["--precision", "fp8"], "precision is 'fp8'; torch has "),
    (["--backend", "pytorch"], "backend is 'pytorch'; expected one of torch, "),
    (["--backend", "x" * 50], "backend is 'xxx"),
    (["--family", "mobilenet_v9"], "family is 'mobilenet_v9'; expected one of mobilenet_v1, "),
]


@pytest.mark.parametrize(
    ("words", "message"), WRONG, ids=[" ".join(map(str, words))[:30] for words, _ in WRONG]
)
def test_what_is_not_allowed_is_refused(words, message):
    """In one line, before anything is built: which value, and what is allowed."""
    assert refusal(call("bench", *words)).startswith(message)


def test_a_runtime_that_is_not_installed_is_named_with_its_command():
    """The message has the command that installs it."""
    with patch.object(BACKENDS["torch"], "packages", ("no-such-package",), create=True):
        assert refusal(call("bench", *TINY)) == (
            "latency backend 'torch' needs no-such-package, which is not installed; run: pip install torch"
        )


def test_a_network_that_fails_is_one_line():
    """The runtime's own words, on one line and not too long, with the network's name."""
    reason = "RuntimeError: out\nof memory " + "x" * 3000

    class Broken:
        def __init__(self, config, on_failure):
            self.on_failure = on_failure

        def prepare(self, subjects, on_prepared):
            self.on_failure(subjects[0].name, reason)

        def close(self):
            pass

    with patch("mbsweep.commands._steps.Bench", Broken):
        lines = time_steps(Variant(width=0.25, resolution=32), "torch", "fp32", 2, 1, 5, 0)
        next(lines)
        with pytest.raises(MbsweepError) as refused:
            next(lines)
    text = str(refused.value)
    assert text.startswith("mobilenet_v1_w0.25_r32_d5: RuntimeError: out of memory xxx")
    assert len(text) < 600
    assert "\n" not in text


def test_seconds_per_batch_are_those_of_the_steps(monkeypatch):
    """By a clock that says 0.3, 0.4 and 0.5 s a step forward, and three times as much with backward: mean 0.4
    and 1.2, deviation 0.1 and 0.3, of whole batches, after the burn-in, in the order in which they are told.
    """
    told = []

    class Clocked:
        def __init__(self, config, on_failure):
            told.append((config.mode, config.batch, config.threads, config.warmup_calls, config.visit_calls))
            step_ns = iter(range(300_000_000, 600_000_000, 100_000_000))
            factor = {"forward": 1, "forward_backward": 3}[config.mode]
            self.made = Prepared(lambda: None, 1, lambda: factor * next(step_ns))
            self.config = config

        def prepare(self, subjects, on_prepared):
            self.names = [subject.name for subject in subjects]

        def visit(self, name):
            assert self.names == [name] == ["mobilenet_v1_w0.25_r32_d5"]
            return timing.visit(self.made, self.config.visit_ms, self.config.visit_calls)

        def close(self):
            self.made = None

    monkeypatch.setattr("mbsweep.commands._steps.Bench", Clocked)
    _, *lines = bench(*TINY, "--steps", 3)
    assert lines == [
        "forward across 3 steps, 0.400 +/- 0.100 sec/batch",
        "forward_backward across 3 steps, 1.200 +/- 0.300 sec/batch",
    ]
    assert told == [("forward", 2, 1, 2, 3), ("forward_backward", 2, 1, 2, 3)]


FAR_OFF = [  # seconds; what is said of them
    ([0.1, 0.1, 0.14], ""),  # 1.4 times
    (
        [0.1, 0.1, 0.1, 0.16, 0.5],
        "2 of 5 steps far off, by more than 1.5 times the median of 0.1 s, up to 0.5 s: the mean is theirs, "
        "too; is the machine busy?",
    ),
    (
        [0.2, 0.2, 0.1],
        "1 of 3 steps far off, by more than 1.5 times the median of 0.2 s, up to 0.1 s: the mean is theirs, "
        "too; is the machine busy?",
    ),
    ([0.25], ""),
]


@pytest.mark.parametrize(("samples_s", "words"), FAR_OFF)
def test_steps_that_are_far_off_are_told_of(samples_s, words):
    """Slower or faster than the median by more than half."""
    assert far_off(np.array(samples_s)) == words


def test_a_step_that_is_far_off_is_told_below_its_mode(monkeypatch):
    """One of five steps of a whole second, beside some of a tenth."""
    steps_s = [0.1, 0.1, 1.0, 0.1, 0.1]

    class Clocked:
        def __init__(self, config, on_failure):
            pass

        def prepare(self, subjects, on_prepared):
            pass

        def visit(self, name):
            return [round(step_s * 1e9) for step_s in steps_s]

        def close(self):
            pass

    monkeypatch.setattr("mbsweep.commands._steps.Bench", Clocked)
    _, mode, words = bench_lines(*TINY, "--steps", 5, "--backend", "onnxruntime")
    assert mode == "forward across 5 steps, 0.280 +/- 0.402 sec/batch"
    assert words.startswith("  1 of 5 steps far off, by more than 1.5 times the median of 0.1 s, up to 1 s: ")


SPREADS = [  # seconds; as printed
    ([0.1, 0.3], "0.200 +/- 0.141"),
    ([1.5, 1.5, 1.5], "1.500 +/- 0.000"),
    ([0.25], "0.250 +/- nan"),
    ([0.0100, 0.0102], "0.0101 +/- 0.0001"),
    ([0.00100, 0.00102], "0.00101 +/- 0.00001"),
    ([12.0, 14.0], "13.000 +/- 1.414"),
]


@pytest.mark.parametrize(("samples_s", "text"), SPREADS)
def test_mean_and_deviation_by_hand(samples_s, text):
    """To the deviation's first digit, and at least to a millisecond."""
    assert spread(np.array(samples_s)) == text


@given(st.lists(st.floats(1e-7, 1e4), min_size=2, max_size=20))
def test_mean_and_deviation_are_numpys(samples_s):
    """What is printed is right to its last digit, and both numbers have as many."""
    mean, deviation = spread(np.array(samples_s)).split(" +/- ")
    digits = len(mean.split(".")[1])
    assert digits == len(deviation.split(".")[1]) >= 3
    assert abs(float(mean) - np.mean(samples_s)) <= 0.51 * 10**-digits
    assert abs(float(deviation) - np.std(samples_s, ddof=1)) <= 0.51 * 10**-digits
    assert float(deviation) > 0 or np.std(samples_s, ddof=1) < 10**-digits


def test_equal_steps_do_not_deviate():
    """The mean of three equal numbers may be off by a bit, which is no deviation."""
    assert spread(np.array([5461.886705005842] * 3)) == "5461.88670500584 +/- 0.00000000000"


@pytest.mark.parametrize("words", [["bench", *TINY, "--steps", 3], ["show", *TINY[:4], "--latency"]])
def test_what_times_waits_for_trainings_and_says_so(words, tmp_path):
    """While a network is trained on this machine, nothing is timed; one line on stderr tells why."""
    said = tmp_path / "stderr"
    with said.open("w") as stderr:
        with busy():
            process = start(*words, stderr=stderr)
            wait_until(lambda: "waits" in said.read_text(), process)
            time.sleep(0.3)
            assert process.poll() is None
        assert finish(process)[0] == 0
    assert said.read_text() == "waits for trainings on this machine to end their epochs\n"
