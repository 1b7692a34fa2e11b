"""Factories as users write them, the good and the bad; each in a module that tests put where they work."""

from pathlib import Path

SOURCE = '''\
import os
import sys
from pathlib import Path

import torch
from torch import nn

Path("imported").touch()  # tells that this module was imported, and where


def small(width=1.0, activation="relu", num_classes=10):
    print("a factory that talks to stdout")
    channels = int(8 * width)
    kind = {"relu": nn.ReLU, "silu": nn.SiLU}[activation]
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        kind(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, num_classes),
    )


class Viewing(nn.Module):
    """Takes a map apart as it lies in memory, as many a network does; has a branch that nobody can trace."""

    def __init__(self, widths, resolution):
        super().__init__()
        self.conv = nn.Conv2d(3, widths[0], 3, stride=4, padding=1)
        self.bn = nn.BatchNorm2d(widths[0])
        self.head = nn.Linear(widths[0] * (resolution // 4) ** 2, widths[1])

    def forward(self, images):
        maps = self.bn(self.conv(images))
        if maps.mean() > 1e9:
            maps = -maps
        return self.head(maps.view(len(images), -1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, stride=8)
        self.three = nn.Linear(16, 48)
        self.head = nn.Linear(16, 10)

    def forward(self, images):
        query, key, value = self.three(self.patches(images).flatten(2).transpose(1, 2)).chunk(3, -1)
        return self.head(nn.functional.scaled_dot_product_attention(query, key, value).mean(1))


class Encoder(nn.Module):
    """As vision transformers, EfficientNets and ConvMixers have them: heads, dropout in place, "same"."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, stride=8)
        self.mixed = nn.Conv2d(16, 16, 3, padding="same", groups=4)
        self.heads = nn.MultiheadAttention(16, 2, batch_first=True)
        self.drop = nn.Dropout(0.2, inplace=True)
        self.head = nn.Linear(16, 10)

    def forward(self, images):
        patches = self.mixed(self.patches(images)).flatten(2).transpose(1, 2)
        mixed, _ = self.heads(patches, patches, patches, need_weights=False)
        return self.head(self.drop(mixed + 1).mean(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.LSTM(48, 8, batch_first=True)
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        return self.head(self.rows(images.flatten(2).transpose(1, 2).reshape(len(images), 16, -1))[0][:, -1])


def any_keywords(**keywords):
    return small(**keywords)


def raises():
    raise KeyError("two\\nlines")


def colours():
    raise ValueError("\\x1b[31mred\\x07")


def returns_none():
    return None


def returns_text():
    return "a network"


def nothing_to_learn():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def frozen():
    return small().requires_grad_(False)


def on_gpu():
    return small().to("cuda")


def on_meta():
    return small().to("meta")


def other_size():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 10))


def other_classes(num_classes):
    return small(num_classes=num_classes + 1)


def exits():
    sys.exit("enough")


def dies():
    os._exit(7)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 10)

    def forward(self, images):
        return {"logits": self.head(images.mean((2, 3)))}


class Falling(nn.Module):
    """Gives logits, but leaves the process where it is to be trained."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.head = nn.Linear(3, num_classes)

    def forward(self, images):
        if self.training:
            os._exit(9)
        return self.head(images.mean((2, 3)))


no_function = 3
'''


def write_networks(folder: Path) -> None:
    """The module `own.networks`, and one that cannot be imported."""
    (folder / "own").mkdir()
    (folder / "own" / "__init__.py").touch()
    (folder / "own" / "networks.py").write_text(SOURCE)
    (folder / "own" / "broken.py").write_text("import no_such_package_of_ours\n")
