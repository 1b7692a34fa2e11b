"""What messages, notes, docs and docstrings suggest exists, and means what they say."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from console import call

from mbsweep.accuracy import SOURCES as ACCURACY
from mbsweep.accuracy.datasets import DATASETS
from mbsweep.accuracy.settings import Alone, Budget, Halving, Recipe
from mbsweep.base.suggest import command
from mbsweep.commands.app import COMMANDS, loaded
from mbsweep.profiler.backends import BACKENDS
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.families import FAMILIES
from mbsweep.space.variant import Variant
from mbsweep.sweep.sweep import Sweep

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for ending in ("py", "js", "html") for path in sorted((ROOT / "mbsweep").rglob(f"*.{ending}"))
]
TEXTS = [
    *SOURCES,
    # The commands of docs/extending.md are added there, and run by the test of it.
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "extending.md"),
    ROOT / "README.md",
    *(ROOT / "sweeps").glob("*.yaml"),
]
OPTIONS = {
    name: {option for parameter in loaded(name).params for option in parameter.opts} | {"--help"}
    for name in COMMANDS
}
MODELS = [Sweep, LatencyConfig, Recipe, Budget, Halving, Alone]
KEYS = {key for model in (*MODELS, *ACCURACY.values(), *DATASETS.values()) for key in model.model_fields} | {
    "family",
    *(name for family in FAMILIES.values() for name in family.keys),
    "each",
    "from",
    "to",
    "step",
    "min",
    "max",
    "count",
    "seed",
}


def strings(path):
    """The texts of a Python file, f-strings with `X` for what is filled in; of other files, all of it."""
    if path.suffix != ".py":
        return [path.read_text(encoding="utf-8")]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append(
                "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def suggested():
    """(file, command) of all that stands as code and begins with `mbsweep` and a verb."""
    for path in TEXTS:
        for text in strings(path):
            quoted = re.findall(r"(?:`|<code>|# Command: +)(mbsweep [a-z]+\b[^`<\n]*)", text)
            block = re.findall(r"^(mbsweep [a-z]+\b.*)$", text, flags=re.MULTILINE)
            yield from ((path.name, found) for found in (*quoted, *block))


def test_every_suggested_command_has_its_verb_and_options():
    """In messages, docstrings, comments for readers, the page, the docs and the sweeps."""
    found = list(suggested())
    assert len(found) > 50
    for path, line in found:
        _, verb, *words = shlex.split(line.replace("'", ""), comments=True)
        assert verb in COMMANDS, f"{path}: {line}"
        options = {word.partition("=")[0].rstrip(".,;:") for word in words if re.match(r"-{1,2}[a-z]", word)}
        assert options <= OPTIONS[verb], f"{path}: {line}"


def test_every_option_that_is_named_exists():
    """`choose another --out`, `--cost macs needs no latency`: some command has it."""
    known = set().union(*OPTIONS.values()) | {"--version"}
    foreign = {"--no-sandbox", "--logdir"}  # the browser's, TensorBoard's
    foreign |= {"--head", "--address", "--port", "--num-cpus", "--ray-client-server-port"}  # Ray's
    for path in SOURCES:
        if path.suffix == ".py":
            for text in strings(path):
                named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]\b(?!-)", text))
                assert named <= known | foreign, f"{path}: {text}"


def test_every_key_that_is_named_exists():
    """`num_classes: 10`, `kind: predicted`: what stands as code before a colon is a key of a sweep file."""
    seen = set()
    for path in SOURCES:
        for text in strings(path):
            named = set(re.findall(r"`([a-z_]+):(?: [^`]*)?`", text))
            assert named <= KEYS, f"{path}: {text}"
            seen |= named
    assert {"space", "variants", "kind", "batch", "extrapolate"} <= seen


def test_every_extra_that_is_named_exists():
    """`pip install 'mbsweep[train]'` installs something: its extras stand in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = {path: path.read_text(encoding="utf-8") for path in (*TEXTS, ROOT / "pyproject.toml")}
    named = {path: re.findall(r"mbsweep\[([^]]*)\]", text) for path, text in texts.items()}
    assert sum(map(len, named.values())) > 8
    for path, extras in named.items():
        for extra in ",".join(extras).split(","):
            assert extra.strip() in {"", *project["optional-dependencies"]}, f"{path}: {extra}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_backend_says_to_install_brings_its_packages(backend):
    """An extra with its first package, or the first package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package, install = BACKENDS[backend].packages[0], shlex.split(BACKENDS[backend].install)
    extra = re.fullmatch(r"mbsweep\[(\w+)\]", install[0])
    brought = project["optional-dependencies"][extra[1]] if extra else install
    assert package in {re.split(r"[<>=]", requirement)[0] for requirement in brought}


@pytest.mark.parametrize("name", ["show", "export", "bench", "train"])
def test_a_command_that_takes_a_network_takes_all_of_it(name):
    """An option for each field of Variant, with its default; `train` has the classes from its data set, and
    what is not said from --start.
    """
    options = {option.name: option for option in loaded(name).params}
    fields = {"family", *Variant().values} - ({"num_classes"} if name == "train" else set())
    assert fields <= set(options)
    for field in fields:
        expected = getattr(Variant(), field)
        expected = ",".join(map(str, expected)) if isinstance(expected, tuple) else expected
        assert options[field].default == (None if name == "train" else expected), field
        assert options[field].opts == [f"--{field.replace('_', '-')}"]


def test_every_field_reaches_the_network():
    """Each option at a value of its own, width 1/3 to the last digit."""
    words = (
        "--width 0.3333333333333333 --resolution 20 --depth 1 --block standard --stage-channels 9,10,11,12,13"
    )
    words += " --num-classes 7 --divisor 3 --stem-stride 1 --family mobilenet_v1"
    first = call("show", *words.split()).stdout.splitlines()[0]
    assert first == "mobilenet_v1_w0.3333333333333333_r20_d1_standard_c9-10-11-12-13_n7_div3_s1"
    assert first == "mobilenet_v1_w0.3333333333333333_r20_d1_standard_c9-10-11-12-13_n7_div3_s1"


UNUSUAL = [
    Variant(width=1 / 3, resolution=20, depth=1, stage_channels=[9, 10, 11, 12, 13], num_classes=7),
    Variant("mobilenet_v2", stage_depths=[1, 2, 3, 4, 2, 3, 1], expansion=4),
    Variant("mobilenet_v3_small", minimalistic=True),
    Variant("resnet18"),
]


@pytest.mark.parametrize("variant", UNUSUAL, ids=str)
def test_the_words_of_a_network_are_read_back(variant):
    """Numbers to the last digit, lists, and yes or no."""
    _, *words = shlex.split(command("show", *variant.words))
    assert call(*words).stdout.splitlines()[0] == variant.id


NAMES = ["plain", "with space", "it's", 'quo"te', "-x", "--out", "$HOME", "a;b", "*", "tab\there", "ünï"]


@pytest.mark.parametrize("name", NAMES)
def test_a_suggested_command_is_quoted_for_the_shell(name, tmp_path, monkeypatch):
    """A sweep and a run of any name: what `run` says to call next, typed as it stands, finds the run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    sweep = Path(f"{name}.yaml")
    sweep.write_text("space: {width: 0.25, resolution: 32}\n", encoding="utf-8")
    _, verb, *words = shlex.split(command("run", sweep, "--out", Path(name)))
    done = call(verb, *words)
    assert done.exit_code == 0, done.output
    opened, table = done.stdout.splitlines()[-2:]
    assert call(*shlex.split(table)[1:]).stdout.count("\n") == 2
    written = call(*shlex.split(opened)[1:])
    assert written.exit_code == 0, written.output
    assert len(list((tmp_path / "reports").iterdir())) == 2
