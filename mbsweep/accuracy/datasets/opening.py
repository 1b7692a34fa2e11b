"""The cache of data sets: images decoded once, resized once per resolution, checksummed, memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.datasets.dataset import CONTENTS, LABELS, Dataset, images_file
from mbsweep.accuracy.datasets.part_folders import PARTS
from mbsweep.accuracy.datasets.source import DatasetSettings, ImageSource
from mbsweep.accuracy.packages import check_package
from mbsweep.base.cache import cache_dir
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import keep, read_kept, temporary_folder

ID_LENGTH = 8  # hex digits of the content's hash in a data set's id
_ABOUT = "about.json"


def open_dataset(
    config: DatasetSettings,
    resolutions: Sequence[int],
    say: Callable[[str], None] = lambda message: None,
    source: ImageSource | None = None,
) -> Dataset:
    """A data set at some resolutions; what the cache lacks is read, resized and kept there.

    config: the `dataset` of a sweep. say: told what takes time, and what was found damaged. source: of the
    configuration, where it was looked at already.
    Raises MbsweepError for what the user can put right: images that are missing or broken, a full disk.
    """
    check_package(*config.needs)
    source = source or config.source()
    dataset, wanted = _kept(source, config), sorted(set(resolutions))
    missing = [size for size in wanted if dataset is None or not _is_whole(dataset, size, say)]
    if missing or dataset is None:
        _check_room(source, missing)
        at = ", ".join(map(str, missing))
        say(f"{config.name}: reading images at {at} px")
        before, dataset = dataset, _read(source, config, missing)
        if before is not None and dataset.id != before.id and missing != wanted:
            # Not what the cache has the other resolutions of: a file that changed and kept its size and time.
            return open_dataset(config, wanted, say)
    return dataset


def lacking(source: ImageSource, resolutions: Sequence[int]) -> tuple[str | None, list[int]]:
    """The id of a data set, where the cache knows it; and the resolutions that it does not have."""
    entry = _entry(_known(source))
    wanted = sorted(set(resolutions))
    if entry is None:
        return None, wanted
    folder = cache_dir() / "datasets" / entry["id"]
    return entry["id"], [size for size in wanted if not images_file(folder, size).exists()]


def _check_room(source: ImageSource, resolutions: Sequence[int]) -> None:
    """MbsweepError where the disk has no room for images at some resolutions."""
    needed_bytes, free_bytes = room(source, resolutions)
    if needed_bytes > free_bytes:
        raise MbsweepError(
            f"{cache_dir() / 'datasets'}: the images need {in_bytes(needed_bytes)}, and "
            f"{in_bytes(free_bytes)} are free; free some space, or set MBSWEEP_CACHE to a folder with "
            "more of it"
        )


def room(source: ImageSource, resolutions: Sequence[int]) -> tuple[int, int]:
    """Bytes that reading at some resolutions needs at most, and that are free where the cache is."""
    images = sum(source.seen().sizes.values()) * source.copies
    needed_bytes = 3 * images * sum(size**2 for size in resolutions)
    folder = cache_dir().absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return needed_bytes, shutil.disk_usage(folder).free


def in_bytes(count: int) -> str:
    """`12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{math.ceil(count / 1e6)} MB"


def _known(source: ImageSource) -> Path:
    return cache_dir() / "datasets" / "known" / f"{source.key}.json"


def _entry(known: Path) -> dict[str, Any] | None:
    """What a source's key led to before, where it can be read."""
    try:
        entry = json.loads(read_kept(known) or b"")
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("id"), str) else None


def _kept(source: ImageSource, config: DatasetSettings) -> Dataset | None:
    """The data set that a source's key led to before; None where it is not in the cache, or damaged."""
    if (entry := _entry(_known(source))) is None:
        return None
    try:
        folder = cache_dir() / "datasets" / entry["id"]
        if _sha256(folder / _ABOUT) != entry["about_sha256"]:
            return None
        about = json.loads((folder / _ABOUT).read_bytes())
        classes, notes = tuple(about["classes"]), tuple(entry["notes"])
        dataset = Dataset(
            entry["id"], folder, classes, about["sizes"], notes, config.settings, dict(source.reading)
        )
        if _sha256(folder / LABELS) != about["labels_sha256"]:
            return None
        if _sha256(folder / CONTENTS) != about["contents_sha256"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dataset


def _is_whole(dataset: Dataset, resolution: int, say: Callable[[str], None]) -> bool:
    path = images_file(dataset.folder, resolution)
    try:
        expected = path.with_suffix(".sha256").read_text()
        if _sha256(path) == expected:
            return True
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        pass
    say(f"{dataset.id}: the cached images at {resolution} px are damaged; they are made anew")
    return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(source: ImageSource, config: DatasetSettings, resolutions: Sequence[int]) -> Dataset:
    """Read a source's images into the cache."""
    root = cache_dir() / "datasets"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with temporary_folder(root, "reading") as temporary:
            written = _write_images(source, resolutions, temporary)
            return _enter(source, config, resolutions, *written, temporary)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MbsweepError(
            f"{root}: the images cannot be kept: {reason}; free some space, or set MBSWEEP_CACHE to a folder "
            "with more of it"
        ) from None


def _write_images(
    source: ImageSource, resolutions: Sequence[int], folder: Path
) -> tuple[dict[str, int], NDArray[np.int64], NDArray[np.int64]]:
    """Write every image at every resolution, one after another; return the parts' sizes, all labels and
    contents.
    """
    sizes = dict.fromkeys(PARTS, 0)
    labels: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    contents = labels.copy()
    with contextlib.ExitStack() as stack:
        files: dict[int, IO[bytes]] = {
            size: stack.enter_context(images_file(folder, size).open("wb")) for size in resolutions
        }
        for batch in source.batches(resolutions):
            sizes[batch.part] += len(batch.labels)
            labels.append(batch.labels)
            contents.append(batch.contents)
            for size, file in files.items():
                file.write(np.ascontiguousarray(batch.images[size]).data)
    return sizes, np.concatenate(labels), np.concatenate(contents)


def _enter(
    source: ImageSource,
    config: DatasetSettings,
    resolutions: Sequence[int],
    sizes: dict[str, int],
    labels: NDArray[np.int64],
    contents: NDArray[np.int64],
    temporary: Path,
) -> Dataset:
    """Move what was read to its place, which its content names."""
    classes = source.classes()
    _check(source.name, classes, sizes, labels)
    id_ = f"{source.name}-{source.digest()[:ID_LENGTH]}"
    dataset = Dataset(
        id_, temporary.parent / id_, classes, sizes, source.notes(), config.settings, dict(source.reading)
    )
    about: dict[str, Any] = {"classes": classes, "sizes": sizes}
    for name, file, values in (("labels", LABELS, labels), ("contents", CONTENTS, contents)):
        (temporary / file).write_bytes(values.astype("<i8").tobytes())
        about[f"{name}_sha256"] = _sha256(temporary / file)
    (temporary / _ABOUT).write_text(json.dumps(about))
    # Notes are not of the content: the same images may lie among other files that are no images.
    entry = {"id": id_, "about_sha256": _sha256(temporary / _ABOUT), "notes": dataset.notes}
    for size in resolutions:
        path = images_file(temporary, size)
        path.with_suffix(".sha256").write_text(_sha256(path))
    # All is written, and only has to be moved.
    dataset.folder.mkdir(exist_ok=True)
    for path in sorted(temporary.iterdir()):
        path.replace(dataset.folder / path.name)
    if fault := keep(_known(source), json.dumps(entry).encode()):
        raise MbsweepError(fault)
    return dataset


def _check(name: str, classes: Sequence[str], sizes: Mapping[str, int], labels: NDArray[np.int64]) -> None:
    """MbsweepError where a part lacks a class, or there are no two classes."""
    if len(classes) < 2:
        what = f"only the class {classes[0]!r}" if classes else "no classes"
        raise MbsweepError(f"{name}: has {what}; at least two are needed to tell apart")
    start = 0
    for part in PARTS:
        counts = np.bincount(labels[start : start + sizes[part]], minlength=len(classes))
        start += sizes[part]
        if lacking := [classes[place] for place in np.flatnonzero(counts == 0)[:5]]:
            raise MbsweepError(
                f"{name}: the {part} part has no image of {', '.join(map(repr, lacking))}; add some, or "
                "leave the class out"
            )
