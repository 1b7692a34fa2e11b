"""A stand-in for the process that trains: loads no torch, and makes its epochs up.

Answers through the real `serve`. Its checkpoint is the number of epochs so far.
"""

import json
import sys
import time
from pathlib import Path

from stand_in import FAULTS

from mbsweep.accuracy.training.meter import Meter
from mbsweep.accuracy.training.worker import TOLD_EVERY_S

# -- for tests ------------------------------------------------------------------------------------------


def toy(curves=None, spoils=None, at_epoch=1, patience=None, seconds=1.0, log=None):
    """Command line of a toy. Others name networks by width and seed, "0.1/0", or by width alone, "0.1".

    curves: network -> validation accuracies at each epoch, the last for all that follow; otherwise 90.
    A list of lists is one curve for each attempt. spoils: network -> name of a fault, of `stand_in` or of
    those below, in an epoch. patience: epochs after which every training ends. seconds: that an epoch is said
    to take. log: a file with a line for each beginning: width, seed, attempt, epochs so far.
    """
    spec = {"curves": curves or {}, "spoils": spoils or {}, "at_epoch": at_epoch, "patience": patience}
    spec |= {"seconds": seconds, "log": str(log) if log else None}
    return [sys.executable, __file__, json.dumps(spec)]


# -- the process ----------------------------------------------------------------------------------------


class DivergedError(Exception):
    """Called as that of the real training."""


def diverges():
    """The loss is not a number."""
    raise DivergedError("the loss is not a number in epoch 1")


class MbsweepError(Exception):
    """Called as that of the real training."""


def fills_disk():
    """The checkpoint cannot be written."""
    raise MbsweepError("weights/net.checkpoint: cannot be written: No space left on device")


def dawdles():
    """An epoch that takes longer than it takes to look after it."""
    time.sleep(1.5 * TOLD_EVERY_S)


OWN_FAULTS = {"diverges": diverges, "fills disk": fills_disk, "dawdles": dawdles}


class Toy:
    """The methods of the training process, without any network."""

    def __init__(self, spec):
        self.spec = spec

    def __call__(self, method, argument):
        """The answer to what was asked for."""
        return getattr(self, method)(*([argument] if argument else []))

    def begin(self, told):
        """Take up the checkpoint."""
        self.told = told
        self.checkpoint = Path(told["checkpoint"])
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        place = [told["seed"], told["attempt"]]
        saved = json.loads(self.checkpoint.read_text()) if self.checkpoint.exists() else None
        self.before = saved[2] if saved and saved[:2] == place else 0
        self.done = 0
        if self.spec["log"]:
            with Path(self.spec["log"]).open("a", encoding="utf-8") as file:
                file.write(f"{told['variant']['width']} {place[0]} {place[1]} {self.before}\n")

    def of(self, spec, default):
        """What is asked for of this network."""
        width, seed = self.told["variant"]["width"], self.told["seed"]
        return spec.get(f"{width}/{seed}", spec.get(str(width), default))

    def validation(self):
        """After the epochs so far."""
        curve = self.of(self.spec["curves"], [90])
        if isinstance(curve[0], list):
            curve = curve[self.told["attempt"]]
        return curve[min(self.done, len(curve)) - 1]

    def epoch(self):
        """The next one."""
        epochs = self.told["recipe"]["epochs"]
        if self.done >= min(epochs, self.spec["patience"] or epochs):
            return None
        self.done += 1
        Meter(self.told["meter"]).set(0.5)
        fault = self.of(self.spec["spoils"], None)
        if fault and self.done == self.spec["at_epoch"]:
            (FAULTS | OWN_FAULTS)[fault]()
        if self.done > self.before:
            self.checkpoint.write_text(json.dumps([self.told["seed"], self.told["attempt"], self.done]))
        found = dict.fromkeys(("learning_rate", "train_top1_pct", "validation_loss"), 0.5)
        found["train_loss"] = 2.0  # of three classes guessing gives 1.1: what is learnt, validation tells
        return found | {
            "epoch": self.done,
            "validation_top1_pct": self.validation(),
            "seconds": self.spec["seconds"],
        }

    def finish(self):
        """Of 60 test images as many right as of the validation part."""
        Path(self.told["weights"]).write_text("weights")
        right = round(self.validation() * 0.6)
        bits = "1" * right + "0" * (64 - right)
        return {"top5_pct": None, "images": 60, "correct": f"{int(bits, 2):016x}"}


if __name__ == "__main__":
    from mbsweep.base.child import serve

    serve(Toy(json.loads(sys.argv[1])), is_lost=lambda: False)
