"""What a file of weights, or the config.json beside it, says of the network that they were trained in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mbsweep.accuracy.weights.files import CONFIG, WeightsFile
from mbsweep.accuracy.weights.names import HUGGING_FACE, MBSWEEP
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, choice, flag, one_number_of, shown
from mbsweep.space.channels import make_divisible
from mbsweep.space.families import FAMILIES
from mbsweep.space.fields import ACTIVATION, BN_EPSILON, PADDING
from mbsweep.space.variant import Variant

# Of transformers' MobileNetV1Config and MobileNetV2Config: what is usual, and what it may be here.
_HF_KEYS: dict[str, tuple[Any, Rule]] = {
    "tf_padding": (True, flag()),
    "layer_norm_eps": (0.001, BN_EPSILON.rule),
    "hidden_act": ("relu6", ACTIVATION.rule),
}
_HF_FAMILIES = {"mobilenet_v1": "mobilenet_v1", "mobilenet_v2": "mobilenet_v2"}
_HF_LEAST = 8  # channels
# timm's architectures: `tf_mobilenetv3_small_minimal_100`
_TIMM = re.compile(
    r"(?P<tf>tf_)?mobilenet(?P<family>v1|v2|v3_large|v3_small|v4_conv_small|v4_conv_medium)"
    r"(?P<minimal>_minimal)?(_(?P<width>[0-9]{3}))?"
)


ANY = ("resolution", "num_classes")  # fields in which a network may differ from that of the weights


def conventions(file: WeightsFile, library: str) -> tuple[dict[str, Any], bool]:
    """The fields by which networks of one shape differ, as the weights were trained; and whether the file, or
    its config.json, says so: else they are those that are usual in the library.

    MbsweepError where config.json says what no field can be.
    """
    if library == MBSWEEP:
        said = file.about.get("variant", {})
        usual = {"bn_epsilon": BN_EPSILON.default, "padding": PADDING.default, "activation": "relu"}
        return {name: said.get(name, value) for name, value in usual.items()}, bool(said)
    if library == HUGGING_FACE:
        same, epsilon, activation = (
            _allowed(file, name, file.config.get(name, usual), rule)
            for name, (usual, rule) in _HF_KEYS.items()
        )
        if file.config.get("model_type") == "mobilenet_v2":
            _allowed(file, "hidden_act", activation, choice(["relu6"]))
            _allowed(file, "output_stride", file.config.get("output_stride", 32), one_number_of(32))
        padding = "same" if same else "half"
        found = {"bn_epsilon": epsilon, "padding": padding, "activation": activation}
        return found, bool(file.config)
    name = str(file.config.get("architecture", ""))
    args = file.config.get("model_args")
    args = args if isinstance(args, Mapping) else {}
    is_tf = name.startswith("tf_")
    timms = 0.001 if is_tf or name == "mobilenetv3_rw" else BN_EPSILON.default
    epsilon = _allowed(file, "bn_eps", args.get("bn_eps", timms), BN_EPSILON.rule)
    padding = args.get("pad_type", "same" if is_tf else "") or "half"
    padding = _allowed(file, "pad_type", padding, PADDING.rule)
    # Of its families MobileNet v1 alone has a choice here, and timm's is ReLU6.
    return {"bn_epsilon": epsilon, "padding": padding, "activation": "relu6"}, bool(name)


def _allowed(file: WeightsFile, name: str, value: Any, rule: Rule) -> Any:
    try:
        return rule(value)
    except ValueError as error:
        raise MbsweepError(
            f"{file.file.parent / CONFIG}: {name} is {shown(value)}; {error}, for a network of mbsweep"
        ) from None


def notes(file: WeightsFile, variant: Variant, library: str) -> list[str]:
    """What is to be known of weights that may have been trained in a network that computes otherwise.

    MbsweepError, with the fields to set, where they were.
    """
    found, is_said = conventions(file, library)
    other = {name: value for name, value in found.items() if variant.values.get(name, value) != value}
    if not other:
        return []
    words = ", ".join(f"{name}: {value}" for name, value in other.items())
    if is_said:
        raise MbsweepError(
            f"{file.path}: its weights were trained with {words}, and {variant.id} is not; set these fields"
        )
    return [f"usual in {library} is {words}; no {CONFIG} says how these weights were trained"]


def hint(file: WeightsFile, variant: Variant, library: str) -> str:
    """`; by what it says of itself, set width: 0.5`: where its network is another."""
    words = _network(file, library)
    own = {"family": variant.family, **variant.values}
    other = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in words.items()
        if own.get(name, value) != value and name not in ANY
    }
    listed = ", ".join(f"{name}: {value}" for name, value in other.items())
    return f"; by what it says of itself, set {listed}" if listed else ""


def network_of(file: WeightsFile, library: str) -> dict[str, Any]:
    """The fields of a network with these weights, as far as the file or its config.json says so."""
    found, (computes, is_said) = _network(file, library), conventions(file, library)
    family = FAMILIES.get(str(found.get("family")))
    if family is None or not is_said:
        return {}
    kept = {name: value for name, value in {**found, **computes}.items() if name in family.fields}
    return {"family": family.name, **{name: value for name, value in kept.items() if name not in ANY}}


def _v1_channels(width: float) -> dict[str, Any]:
    """The fields that give v1 the channels of transformers, which cuts off what is behind the point."""
    family = FAMILIES["mobilenet_v1"]
    base = family.defaults["stage_channels"]
    theirs = [max(int(channels * width), _HF_LEAST) for channels in base]
    for divisor in (8, 1):
        if theirs == [make_divisible(channels * width, divisor) for channels in base]:
            return {"divisor": divisor}
    return {"divisor": 1, "stage_channels": tuple(round(channels / width) for channels in theirs)}


def _network(file: WeightsFile, library: str) -> dict[str, Any]:
    """Family and fields that decide shapes, as far as they are said."""
    if library == MBSWEEP:
        said = dict(file.about.get("variant", {}))
        tuples = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
        return {**said, **tuples}
    if library == HUGGING_FACE:
        family = _HF_FAMILIES.get(str(file.config.get("model_type")))
        width = file.config.get("depth_multiplier", 1.0)
        if family is None or not isinstance(width, float | int) or not 0 < width <= 4:
            return {}
        more = _v1_channels(float(width)) if family == "mobilenet_v1" else {}
        return {"family": family, "width": float(width), **more}
    match = _TIMM.fullmatch(str(file.config.get("architecture", "")))
    if match is None:
        return {}
    found: dict[str, Any] = {"family": f"mobilenet_{match['family']}"}
    if match["width"]:
        found["width"] = int(match["width"]) / 100
    return found | ({"minimalistic": True} if match["minimal"] else {})
