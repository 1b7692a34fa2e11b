"""Weights of other libraries in our networks: the largest difference of the logits from the originals'.

    python -m benchmarks.foreign_weights

Needs transformers, timm and torchvision; what is not installed is told, and left out. The weights are random,
and so are the statistics of batch normalisation, scales and shifts: nothing is downloaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbsweep import Variant
from mbsweep.accuracy.weights.files import look_at
from mbsweep.accuracy.weights.mapping import mapped
from mbsweep.nets import build

AS_TENSORFLOW = {"bn_epsilon": 0.001, "padding": "same"}
WIDTHS = (1.0, 0.75, 0.35)
RESOLUTIONS = (224, 161)
TIMM: list[tuple[str, dict[str, Any]]] = [  # architecture, our network
    ("mobilenetv1_100", {"family": "mobilenet_v1", "activation": "relu6"}),
    ("mobilenetv1_125", {"family": "mobilenet_v1", "width": 1.25, "activation": "relu6"}),
    ("mobilenetv2_035", {"family": "mobilenet_v2", "width": 0.35}),
    ("mobilenetv2_050", {"family": "mobilenet_v2", "width": 0.5}),
    ("mobilenetv2_075", {"family": "mobilenet_v2", "width": 0.75}),
    ("mobilenetv2_100", {"family": "mobilenet_v2"}),
    ("mobilenetv2_140", {"family": "mobilenet_v2", "width": 1.4}),
    ("mobilenetv3_large_100", {"family": "mobilenet_v3_large"}),
    ("mobilenetv3_large_075", {"family": "mobilenet_v3_large", "width": 0.75}),
    ("mobilenetv3_small_100", {"family": "mobilenet_v3_small"}),
    ("mobilenetv3_small_075", {"family": "mobilenet_v3_small", "width": 0.75}),
    ("tf_mobilenetv3_large_100", {"family": "mobilenet_v3_large", **AS_TENSORFLOW}),
    ("tf_mobilenetv3_small_100", {"family": "mobilenet_v3_small", **AS_TENSORFLOW}),
    (
        "tf_mobilenetv3_small_minimal_100",
        {"family": "mobilenet_v3_small", "minimalistic": True, **AS_TENSORFLOW},
    ),
    ("mobilenetv4_conv_small", {"family": "mobilenet_v4_conv_small"}),
    (
        "mobilenetv4_conv_small_035",
        {"family": "mobilenet_v4_conv_small", "width": 0.35},
    ),
    ("mobilenetv4_conv_small_050", {"family": "mobilenet_v4_conv_small", "width": 0.5}),
    ("mobilenetv4_conv_medium", {"family": "mobilenet_v4_conv_medium"}),
]


def randomised(net: Any) -> Any:
    """With batch normalisations that do something: fresh ones would hide an epsilon and an exchange."""
    chance = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            assert module.running_var is not None  # noqa: S101
            module.running_mean.normal_(0, 0.2, generator=chance)
            module.running_var.uniform_(0.005, 1.5, generator=chance)
            module.weight.data.uniform_(0.5, 1.5, generator=chance)
            module.bias.data.normal_(0, 0.3, generator=chance)
    return net.eval()


def save_timm(net: nn.Module, architecture: str, folder: Path) -> None:
    """As `timm.models.push_to_hf_hub` lays a model out."""
    from safetensors.torch import save_file

    save_file(net.state_dict(), folder / "model.safetensors")
    told = {"architecture": architecture, "num_classes": 1000, "pretrained_cfg": {"fixed_input_size": False}}
    (folder / "config.json").write_text(json.dumps(told))


def ours(folder: Path, variant: Variant) -> nn.Module:
    """Our network with the weights of a folder."""
    found, net = mapped(look_at(folder), variant), build(variant)
    state = net.state_dict()
    for name, value in found.values().items():
        state[name].copy_(torch.from_numpy(value))
    return net.eval()


def off_by(net: nn.Module, given: Any, image: Tensor) -> float:
    """As a share of the largest logit of the original."""
    with torch.inference_mode():
        expected = given(image)
        expected = getattr(expected, "logits", expected)
        return float((net(image) - expected).abs().max() / expected.abs().max())


def hugging_face() -> Iterator[tuple[str, nn.Module, dict[str, Any]]]:
    """What, the original, our network."""
    library = importlib.import_module("transformers")
    for width in WIDTHS:
        for tf in (True, False):
            more = {"depth_multiplier": width, "tf_padding": tf, "num_labels": 1000}
            conventions = {"bn_epsilon": 0.001, "padding": "same" if tf else "half"}
            fields = {"family": "mobilenet_v1", "width": width, "divisor": 1, "activation": "relu6"}
            if width == 0.35:  # transformers cuts off 44.8 to 44; 126 x 0.35 is 44.1
                fields["stage_channels"] = (63, 126, 254, 511, 1023)
            one = library.MobileNetV1ForImageClassification(library.MobileNetV1Config(**more))
            yield f"MobileNetV1 {width}, tf_padding {tf}", one, fields | conventions
            two = library.MobileNetV2ForImageClassification(library.MobileNetV2Config(**more))
            fields = {"family": "mobilenet_v2", "width": width}
            yield f"MobileNetV2 {width}, tf_padding {tf}", two, fields | conventions


def main() -> None:
    """Print the largest difference of each."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    worst = 0.0
    if importlib.util.find_spec("transformers") is None:
        print("transformers is not installed: its networks are left out")
    else:
        for what, net, fields in hugging_face():
            with tempfile.TemporaryDirectory() as place:
                randomised(net).save_pretrained(place)
                worst = max(worst, _line(what, net, Path(place), fields))
    if importlib.util.find_spec("timm") is None:
        print("timm is not installed: its networks are left out")
    else:
        timm = importlib.import_module("timm")
        for architecture, fields in TIMM:
            with tempfile.TemporaryDirectory() as place:
                net = randomised(timm.create_model(architecture))
                save_timm(net, architecture, Path(place))
                worst = max(worst, _line(f"timm {architecture}", net, Path(place), fields))
    print(f"largest difference of all: {worst:.1e} of the largest logit (at most 1e-4)")


def _line(what: str, net: nn.Module, folder: Path, fields: dict[str, Any]) -> float:
    chance = torch.Generator().manual_seed(2)
    found = []
    for resolution in RESOLUTIONS:
        own = ours(folder, Variant(**fields, resolution=resolution))
        found.append(off_by(own, net, torch.randn(2, 3, resolution, resolution, generator=chance)))
    told = ", ".join(f"{one:.1e} at {at} px" for one, at in zip(found, RESOLUTIONS, strict=True))
    print(f"{what}: {told}", flush=True)
    return max(found)


if __name__ == "__main__":
    main()
