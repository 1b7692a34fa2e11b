"""Writes `originals.json` beside it: what transformers' and timm's own networks give.

Run by hand, where both are installed (it was with transformers 5.24.0, timm 1.0.31, torch 2.13.0):

    python tests/accuracy/weights/write_originals.py
"""

import json
from pathlib import Path

import timm
import torch
from made_weights import image, made
from transformers import (
    MobileNetV1Config,
    MobileNetV1ForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
)

CLASSES = 4
SIZES = (64, 33)  # "SAME" is asymmetric at the first
V1, V2 = {"family": "mobilenet_v1", "bn_epsilon": 0.001}, {"family": "mobilenet_v2", "bn_epsilon": 0.001}
SAME, RELU6 = {"padding": "same"}, {"activation": "relu6"}
TF = {"padding": "same", "bn_epsilon": 0.001}
CUT = {"divisor": 1, "stage_channels": [63, 126, 254, 511, 1023]}
HUGGING_FACE = [  # version, settings of its configuration, our network
    (1, {"depth_multiplier": 0.25}, V1 | SAME | RELU6 | {"width": 0.25}),
    (1, {"depth_multiplier": 0.35}, V1 | SAME | RELU6 | CUT | {"width": 0.35}),
    (1, {"depth_multiplier": 0.75, "tf_padding": False, "hidden_act": "relu"}, V1 | {"width": 0.75}),
    (2, {"depth_multiplier": 0.35}, V2 | SAME | {"width": 0.35}),
    (2, {"depth_multiplier": 1.0, "tf_padding": False, "layer_norm_eps": 0.01}, V2 | {"bn_epsilon": 0.01}),
]
TIMM = [
    ("mobilenetv1_100", {"family": "mobilenet_v1"} | RELU6),
    ("mobilenetv2_035", {"family": "mobilenet_v2", "width": 0.35}),
    ("mobilenetv3_small_075", {"family": "mobilenet_v3_small", "width": 0.75}),
    ("tf_mobilenetv3_large_100", {"family": "mobilenet_v3_large"} | TF),
    ("tf_mobilenetv3_small_minimal_100", {"family": "mobilenet_v3_small", "minimalistic": True} | TF),
    ("mobilenetv4_conv_small_050", {"family": "mobilenet_v4_conv_small", "width": 0.5}),
    ("mobilenetv4_conv_medium", {"family": "mobilenet_v4_conv_medium"}),
]


def told(name, net, config, fields):
    """A line of the file."""
    state = {key: tensor for key, tensor in net.state_dict().items() if tensor.ndim}
    for key, tensor in state.items():
        tensor.copy_(torch.from_numpy(made(key, tuple(tensor.shape))))
    net.eval()
    logits = {}
    for size in SIZES:
        with torch.no_grad():
            found = net(torch.from_numpy(image(size)))
            exact = net.double()(torch.from_numpy(image(size)).double())
        found, exact = (getattr(given, "logits", given)[0] for given in (found, exact))
        net.float()
        off_by = float((found - exact).abs().max() / exact.abs().max())
        print(name, size, f"rounding {off_by:.1e}")
        assert off_by < 2e-5
        logits[size] = [float(f"{one:.7g}") for one in exact.tolist()]
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    return {"name": name, "config": config, "fields": fields, "logits": logits, "shapes": shapes}


def main():
    """Write them all."""
    lines = []
    for version, settings, fields in HUGGING_FACE:
        config, net = {
            1: (MobileNetV1Config, MobileNetV1ForImageClassification),
            2: (MobileNetV2Config, MobileNetV2ForImageClassification),
        }[version]
        config = config(num_labels=CLASSES, **settings)
        kept = json.loads(config.to_json_string())  # what save_pretrained writes
        name = f"Hugging Face {type(config).__name__} {settings}"
        lines.append(told(name, net(config), kept, fields))
    for architecture, fields in TIMM:
        config = {"architecture": architecture, "num_classes": CLASSES}
        net = timm.create_model(architecture, num_classes=CLASSES)
        lines.append(told(f"timm {architecture}", net, config, fields))
    text = ",\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
    Path(__file__).with_name("originals.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
