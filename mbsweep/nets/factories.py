"""Networks of the user's own: their code is imported and called here, and nowhere else."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbsweep.base.errors import one_line
from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.families.factory import OWN, check_code, target
from mbsweep.space.variant import Variant


class FactoryError(Exception):
    """A factory gives no network that can be worked with."""


def made(variant: Variant) -> nn.Module:
    """The network that a factory makes, as it makes it: with random weights that follow torch's global seed.

    What its code prints goes to stderr. Raises MbsweepError where its code may not be run, FactoryError where
    it gives no network.
    """
    check_code(variant.family)
    with redirect_stdout(sys.stderr):
        try:
            factory = _imported(variant.family)
            found = factory(**_arguments(variant, factory))
        except FactoryError:
            raise
        except SystemExit as error:
            raise FactoryError(f"{variant.family} ends the process: sys.exit({error.code!r})") from None
        except Exception as error:
            raise FactoryError(f"{variant.family} raises {_words(error)}") from error
    if not isinstance(found, nn.Module):
        raise FactoryError(f"{variant.family} returns {_named(found)}; expected a torch.nn.Module")
    elsewhere = {str(tensor.device) for tensor in (*found.parameters(), *found.buffers())} - {"cpu"}
    if elsewhere:
        where = ", ".join(sorted(elsewhere))
        raise FactoryError(f"{variant.family} puts tensors on {where}; networks are to be made on the CPU")
    return found


def code_hash(family: str) -> str:
    """A hash of the file of the module that a factory stands in, once it made a network; else empty.

    What that module imports is not looked at.
    """
    file = getattr(sys.modules.get(target(family)[0]), "__file__", None)
    with suppress(OSError):
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""
    return ""


def checked(variant: Variant, net: nn.Module) -> None:
    """FactoryError where a network in eval mode does not give logits for an image, or learns nothing."""
    size = variant.resolution
    shape = [IMAGE_CHANNELS, size, size]
    with torch.no_grad(), redirect_stdout(sys.stderr):
        try:
            logits = net(torch.zeros(1, *shape))
        except SystemExit as error:
            raise FactoryError(f"{variant.family} ends the process: sys.exit({error.code!r})") from None
        except Exception as error:
            raise FactoryError(f"{variant.family} fails on an image of {shape}: {_words(error)}") from error
    if not isinstance(logits, Tensor) or logits.shape[:1] != (1,):
        shown = f"a tensor of {list(logits.shape)}" if isinstance(logits, Tensor) else _named(logits)
        raise FactoryError(f"{variant.family} gives {shown} for one image; expected a tensor of logits")
    classes = variant.values.get("num_classes")
    if classes is not None and logits.shape != (1, classes):
        given = list(logits.shape)
        raise FactoryError(f"{variant.family} gives a tensor of {given}; num_classes is {classes}")
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise FactoryError(f"{variant.family} returns a module that has no trainable parameter")


def _imported(family: str) -> Callable[..., Any]:
    module, attribute = target(family)
    # As Python would find it that is started where the command was.
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            lack = f"there is no Python module {error.name} in {here} or where Python looks"
        else:
            lack = f"it needs the Python module {error.name}, which is not installed"
        raise FactoryError(f"{family}: {lack}") from None
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise FactoryError(f"{family}: the Python module {module} has no {attribute}") from None
    if not callable(found):
        raise FactoryError(f"{family} is {_named(found)}, and cannot be called")
    return found  # type: ignore[no-any-return]


def _arguments(variant: Variant, factory: Callable[..., Any]) -> dict[str, Any]:
    """What is said of a network, lists as lists.

    Resolution and classes belong to mbsweep, too: a factory that has no such parameters does not get them.
    """
    said = {name: _as_list(value) for name, value in variant.values.items()}
    try:
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(factory).parameters
    except ValueError:  # some that are written in C do not tell
        parameters = {}
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    left_out = {name for name in OWN if name not in parameters and not (takes_any and name == "num_classes")}
    return {name: value for name, value in said.items() if name not in left_out}


def _as_list(value: Any) -> Any:
    return [_as_list(one) for one in value] if isinstance(value, tuple) else value


def _words(error: Exception) -> str:
    told = one_line(error, 300)
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _named(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}" if value is not None else "None"
