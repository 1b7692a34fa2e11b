"""How `mbsweep export RUN ...` is asked to hand a network over, and whether that can be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mbsweep.accuracy.compressing.files import ENDING
from mbsweep.accuracy.packages import FILES, check_package
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import check_writable
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.commands._exporting import FORMATS, WEIGHTS, backend_of
from mbsweep.formats import card as cards
from mbsweep.profiler.backends import asked

# ending of a file -> the backends that it may be for, the usual one first; PyTorch loads weights
BACKENDS_OF = {
    ".onnx": ("onnxruntime", "openvino"),
    ".pte": ("executorch",),
    WEIGHTS: ("torch",),
    ENDING: ("torch",),
}


@dataclass(frozen=True)
class Wanted:
    """How a network is to be handed over."""

    seed: str = "best"  # or a number
    precision: str = "fp32"
    backend: str | None = None  # default: the usual one of the file's ending
    is_self_contained: bool = False  # takes levels as they are, gives probabilities
    dataset: str | None = None  # where the images are, if some are needed
    scheme: str | None = None  # a step of compression, as tables call it

    def backend_for(self, output: Path) -> str:
        """The backend that a file of such a name is for. MbsweepError where it cannot have what is wanted."""
        check_package(FILES)
        backend_of(output, (*FORMATS, WEIGHTS, ENDING))
        self._check_scheme(output)
        may_be = BACKENDS_OF[output.suffix]
        backend = self.backend or may_be[0]
        if backend not in may_be:
            raise MbsweepError(
                f"--backend is {shown(backend)}; {output.suffix} files are for {' and '.join(may_be)}"
                f"{did_you_mean(backend, may_be)}"
            )
        if output.suffix in FORMATS:
            asked(backend=backend, precision=self.precision)
        elif self.precision != "fp32":
            raise MbsweepError(f"precision is {shown(self.precision)}; {output.suffix} files have fp32")
        if self.is_self_contained and output.suffix not in FORMATS:
            raise MbsweepError(
                f"--self-contained: {output.name} holds weights and no graph; name a .onnx or .pte file"
            )
        if self.is_self_contained and (output.suffix, self.precision) == (".pte", "int8"):
            raise MbsweepError(
                "--self-contained: an int8 .pte file is what was calibrated; leave it out, or export .onnx"
            )
        return backend

    def _check_scheme(self, output: Path) -> None:
        if (self.scheme is None) == (output.suffix == ENDING):
            raise MbsweepError(
                f"{ENDING} files are compressed networks, and only they: say both `--scheme WORDS`, as "
                f"`mbsweep table RUN --compressed` calls it, and -o net{ENDING}"
            )

    def check(self, output: Path, run: Path) -> None:
        """MbsweepError for what can be known to be wrong before a network is read."""
        self.backend_for(output)
        _check_outside(output, run)
        check_writable(output)
        cards.check_beside(output)
        check_writable(cards.beside(output))

    def check_no_weights(self, output: Path, run: Path) -> None:
        """Of a graph. MbsweepError for what weights alone have, and in the run's own folder."""
        said = {"--seed": self.seed != Wanted.seed, "--backend": self.backend, "--dataset": self.dataset}
        said |= {"--scheme": self.scheme, "--self-contained": self.is_self_contained}
        if given := [option for option, value in said.items() if value not in (None, False)]:
            raise MbsweepError(f"a graph for TensorBoard has no weights, and so no {given[0]}; leave it out")
        _check_outside(output, run)


def _check_outside(output: Path, run: Path) -> None:
    if output.resolve().is_relative_to(run.resolve()):
        raise MbsweepError(f"{output} lies in the run's own folder; name a file elsewhere")
