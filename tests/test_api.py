"""`import mbsweep`: light, complete, and clear about what it has not."""

import importlib.metadata
import subprocess
import sys

import pytest

import mbsweep

HEAVY = (
    "torch",
    "pandas",
    "pydantic",
    "numpy",
    "fvcore",
    "onnxruntime",
    "onnx",
    "plotly",
    "jinja2",
    "typer",
    "rich",
)


def _loaded_by(code, names):
    """Which of the packages a fresh interpreter has loaded after the code."""
    code += f"\nimport sys; print([name for name in {names!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_heavy():
    """Neither torch nor any other large package is loaded before it is needed."""
    assert _loaded_by("import mbsweep", HEAVY) == "[]"


def test_the_plain_data_needs_no_torch(tmp_path):
    """Variants, sweeps, counts and fronts work without torch and pandas."""
    sweep = tmp_path / "s.yaml"
    sweep.write_text("space: {width: [0.5, 1.0]}\n")
    code = (
        "from mbsweep import Variant, architecture, count, count_space, load_sweep\n"
        "import mbsweep.statistics.pareto, mbsweep.statistics.summary\n"
        f"assert len(count_space(load_sweep({str(sweep)!r}))) == 2\n"
        "assert count(Variant()).params == architecture(Variant()).params\n"
        "mbsweep.statistics.pareto.front([1, 2], [1, 2])"
    )
    assert _loaded_by(code, ("torch", "pandas", "fvcore", "onnxruntime", "plotly")) == "[]"


PROMISED = {
    "Variant",
    "architecture",
    "count",
    "count_space",
    "build",
    "load_sweep",
    "run",
    "open_run",
    "pareto_front",
    "MbsweepError",
}


def test_the_promised_names_are_public():
    """Everything that the documentation tells users to import is in __all__."""
    assert set(mbsweep.__all__) >= PROMISED
    assert len(set(mbsweep.__all__)) == len(mbsweep.__all__)


@pytest.mark.parametrize("name", mbsweep.__all__)
def test_every_public_name_resolves(name):
    """Each name of __all__ is there, documented, under its own name, and listed by dir()."""
    thing = getattr(mbsweep, name)
    assert thing.__name__ == name
    assert thing.__doc__
    assert thing.__module__.startswith("mbsweep.")
    assert name in dir(mbsweep)


def test_a_star_import_gives_the_public_names():
    """`from mbsweep import *` gives all of __all__ and nothing else."""
    names: dict[str, object] = {}
    exec("from mbsweep import *", names)  # noqa: S102
    assert set(names) - {"__builtins__"} == set(mbsweep.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """What is not there is refused as by any module, so that hasattr and typos work as everywhere."""
    with pytest.raises(AttributeError, match="module 'mbsweep' has no attribute 'Varient'"):
        mbsweep.Varient  # noqa: B018
    assert not hasattr(mbsweep, "__wrapped__")


def test_the_version_is_that_of_the_installed_package():
    """`mbsweep.__version__` is what pip shows."""
    assert mbsweep.__version__ == importlib.metadata.version("mbsweep")


def test_the_one_error_is_an_ordinary_exception():
    """`except Exception` catches MbsweepError, and its text is its message."""
    assert issubclass(mbsweep.MbsweepError, Exception)
    assert str(mbsweep.MbsweepError("s.yaml:1: is odd")) == "s.yaml:1: is odd"
