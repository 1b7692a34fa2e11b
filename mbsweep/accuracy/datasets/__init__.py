"""Data sets to train on."""

from typing import TYPE_CHECKING

from mbsweep.accuracy.datasets.cifar import Cifar
from mbsweep.accuracy.datasets.dataset import Dataset, Part
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.datasets.opening import open_dataset
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.source import DatasetSettings
from mbsweep.base.strict import one_of

__all__ = ["DATASETS", "PARTS", "AnyDataset", "Dataset", "Part", "open_dataset"]

# the `name` of a sweep's `dataset` -> its settings, and where its images come from
DATASETS: dict[str, type[DatasetSettings]] = {
    "digits": Digits,
    "imagefolder": ImageFolder,
    "cifar10": Cifar,
    "cifar100": Cifar,
}
if TYPE_CHECKING:
    AnyDataset = DatasetSettings
else:
    AnyDataset = one_of("name", DATASETS)
