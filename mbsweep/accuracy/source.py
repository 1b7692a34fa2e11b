"""An accuracy source: the `accuracy` of a sweep, and all that a plan, a run and a page ask of it.

A source is one class in a file of its own, and a line in `mbsweep.accuracy.SOURCES`. Its fields are its
settings in a sweep file. What loads torch is imported within its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.compression import Scheme
from mbsweep.accuracy.datasets.source import DatasetSettings, ImageSource
from mbsweep.accuracy.training.pool import Pool
from mbsweep.accuracy.value import NAN, Accuracies, Accuracy, source_words
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress import Progress
from mbsweep.base.strict import Strict
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store

Say = Callable[[str], None]  # is told what takes time


class SettingError(MbsweepError):
    """A setting of a source that cannot be had. The message completes `accuracy.KEY ...`.

    key: where settings are mappings, `recipe.start`.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Estimate(NamedTuple):
    """What a source would give, and take."""

    words: str  # where accuracies come from; of how many variants they are known, or will be
    images: tuple[str, ...] = ()  # lines about the images that networks learn
    left_s: float = 0.0  # of training what is not trained yet, at most
    trains: bool = False  # whether it trains at all


class Sought(NamedTuple):
    """What a search of a space asks of a source, as far as it is known before it has searched."""

    chosen: Places  # of what was evaluated, and of others in place of what will be
    confirm: int  # how many of the front are trained alone at the end


class Account(NamedTuple):
    """How the accuracies of a run were obtained, for its page."""

    sentences: list[str]
    recipe: str  # every setting of the training


class Opened(ABC):
    """A source with all that it reads, for the variants of one space."""

    name: str  # tells accuracies apart that must not be on one front; as the table shows it
    others: tuple[str, ...] = ()  # where it gives accuracies under several names: the rest, first come first
    is_lasting: bool = True  # the same name always stands for the same accuracies

    @abstractmethod
    def known(self, precision: str) -> Accuracies:
        """What is known before any work; NaN with a reason else."""

    def keep(self, store: Store) -> None:  # noqa: B027  (nothing, unless a source has something)
        """Keep in a run what is to be known of what was read."""

    def compress(  # noqa: B027  (nothing, unless `check_compression` lets it be asked for)
        self, schemes: Sequence[Scheme], store: Store, pool: Pool, progress: Progress
    ) -> None:
        """Do what is left of some schemes to the networks that `work` has trained; pool, errors as there."""

    def work(  # noqa: B027  (nothing, unless a source trains)
        self, store: Store, pool: Pool, progress: Progress
    ) -> None:
        """Find out what is not known yet of the whole space: `prepare`, `evaluate`, `finish`, for all of it.

        What was done is on the disk before the next begins.
        pool: where networks are trained and tested.
        Raises MbsweepError for what the user can put right.
        """

    def prepare(  # noqa: B027  (nothing, unless variants share something)
        self, store: Store, pool: Pool, progress: Progress
    ) -> None:
        """Do what has to be done before any variant can be evaluated; pool, errors as of `work`."""

    def evaluate(  # noqa: B027  (nothing, unless a source trains)
        self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress
    ) -> None:
        """Find out what is not known yet of some variants, and enter it; pool, errors as of `work`.

        The figures are those of this batch of variants, to the last digit, whatever was evaluated before, and
        wherever it was interrupted. What fails is entered with its reason.
        """

    def seen_pct(self, variants: Sequence[Variant], store: Store) -> NDArray[np.float64]:
        """(variants,): top-1 by which a search chooses, NaN where it is not known.

        Of networks that were trained, that on the validation part: the test part, which the table reports,
        chooses nothing.
        """
        return np.full(len(variants), NAN)

    def finish(  # noqa: B027  (nothing, unless a source trains)
        self, store: Store, variants: Sequence[Variant], pool: Pool, progress: Progress
    ) -> None:
        """Do what is left when some variants were evaluated, all that are meant; pool, errors: see `work`."""

    def at_once(self, pool: Pool) -> int:
        """How many variants are best evaluated together."""
        return 1

    def alone(
        self, variants: Sequence[Variant], store: Store, pool: Pool, progress: Progress
    ) -> list[Accuracy]:
        """What each of some variants is worth where it is trained alone; pool, errors: see `work`.

        It is unknown where nothing is trained.
        """
        unknown = Accuracy(NAN, NAN, "trained", self.name, "", reason="nothing is trained")
        return [unknown for _ in variants]

    def close(self) -> None:  # noqa: B027  (nothing, unless a source holds something)
        """Give back what is held from one `evaluate` to the next, such as a process."""


class LookedUp(Opened):
    """One that knows all before any work."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._found = dict[str, Accuracies]()  # of each precision

    @abstractmethod
    def look_up(self, precision: str) -> Accuracies:
        """What is known of each variant of the space; NaN with a reason else."""

    def known(self, precision: str) -> Accuracies:
        """That, looked up once."""
        if precision not in self._found:
            self._found[precision] = self.look_up(precision)
        return self._found[precision]

    def seen_pct(self, variants: Sequence[Variant], store: Store) -> NDArray[np.float64]:
        """What is known of each at fp32."""
        places = [self._space.place_of(variant) for variant in variants]
        top1_pct = self.known("fp32").top1_pct
        return np.array([NAN if place is None else top1_pct[place] for place in places])


def check_known(source: Source, space: Space) -> None:
    """Raises SettingError where a source that looks up knows no variant of a space."""
    known = source.open(space, lambda message: None).known("fp32")
    if len(space) and not known.known:
        raise SettingError(
            "source",
            f"is {source.source}, and knows none of the {len(space):,} variants: {known.at(0).reason}",
        )


class Source(Strict, ABC):
    """The `accuracy` of a sweep."""

    trains_alone: ClassVar[bool] = False  # whether what a search has found is trained anew at its end

    source: str  # its name in SOURCES

    @property
    def images(self) -> DatasetSettings | None:
        """The data set that the networks learn; None where none is trained."""
        return None

    def beside(self, folder: Path) -> Self:
        """The same with those paths absolute that are relative to the folder of the sweep file."""
        return self

    def missing(self) -> Iterator[str]:
        """For each package that it needs and that is not installed, what to do about it."""
        yield from ()

    def check(self) -> None:
        """Raises SettingError where a setting names what is not there."""

    def check_space(self, space: Space) -> None:
        """Raises SettingError where it cannot give accuracies of such variants together."""

    def check_search(self, space: Space) -> None:
        """Raises SettingError where a search cannot ask it for one variant after another."""

    def check_compression(self, space: Space) -> None:
        """Raises SettingError where it leaves no networks that could be compressed."""
        raise SettingError(
            "source",
            f"is {self.source!r}; `compress` goes on from networks that were trained alone: say `source: "
            "trained`, or leave `compress` out",
        )

    def estimate_compression(
        self, schemes: Sequence[Scheme], space: Space, folder: Path, images: ImageSource | None
    ) -> Estimate:
        """What some schemes would still take for the run in a folder."""
        raise NotImplementedError

    @abstractmethod
    def open(self, space: Space, say: Say, images: ImageSource | None = None) -> Opened:
        """Read what it needs, once for a run. Raises MbsweepError where that cannot be had.

        images: those of its data set, where they were looked at already.
        """

    def estimate(
        self,
        space: Space,
        configs: Sequence[LatencyConfig],
        folder: Path,
        images: ImageSource | None,
        sought: Sought | None = None,
        seats: int | None = None,
    ) -> Estimate:
        """What it knows of a space at the precisions of its latencies, or would still do for a run's folder.

        images: those of its data set, where it has one. sought: where the space is searched. seats: networks
        that a cluster trains at once; None: this machine's cores do.
        """
        opened = self.open(space, lambda message: None, images)
        said = []
        for precision in dict.fromkeys(config.precision for config in configs) or ["fp32"]:
            found = opened.known(precision)
            at = "" if precision == "fp32" else f"at {precision} "
            why = "" if found.known else f"; {found.at(0).reason}"
            said.append(f"{at}known for {found.known:,} of {len(space):,}{why}")
        names = " or ".join([opened.name, *opened.others])
        return Estimate(f"{source_words(self.source, names)}: {', '.join(said)}")

    def said(self) -> dict[str, Any]:
        """Its settings as a sweep file says them, without what is as usual, and without what it may cost."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def account(
        self,
        dataset: str,
        sizes: dict[str, int],
        remarks: Sequence[str],
        has_interval: bool,
        runtimes: Sequence[str] = (),
    ) -> Account | None:
        """How a run obtained accuracies that are not from elsewhere; None where it did not obtain any.

        dataset: its id. sizes: images of each part, where they are known. remarks: what is to be known of the
        images. has_interval: whether any accuracy has one. runtimes: where networks were tested besides where
        they were trained, such as `int8 in onnxruntime`.
        """
        return None
