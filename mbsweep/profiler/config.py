"""One latency configuration of a sweep file: in what runtime and how it is measured, or predicted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from mbsweep.base.rules import Rule, choice, integer, integers, number, text
from mbsweep.base.strict import Strict


class LatencyConfig(Strict):
    """One latency: the runtime and its settings, and how much to measure."""

    rules: ClassVar[dict[str, Rule]] = {
        "backend": text(40),
        "precision": text(40),
        "batch": integer(1, 4096, 1),
        "threads": integer(1, 1024, 1),
        "kind": choice(["measured", "predicted"]),
        "mode": choice(["forward", "forward_backward"]),
        "device": choice(["cpu", "cuda"]),
        "memory_format": choice(["contiguous", "channels_last"]),
        "cpus": integers(None, 0, 4095, (0, 1)),
        "rounds": integer(1, 10_000, 40),
        "visit_ms": number(0, 10_000, 30),
        "visit_calls": integer(1, 100_000, 10),
        "warmup_calls": integer(0, 10_000, 3),
        "target_pct": number(0, 100, 2),
        "max_blocks": integer(30, 5000, 400),
        "networks": integer(12, 1000, 24),
    }

    backend: str
    kind: Literal["measured", "predicted"] = "measured"
    precision: str = "fp32"
    mode: Literal["forward", "forward_backward"] = "forward"
    batch: int = 1
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    cpus: tuple[int, ...] = ()  # the cores to run on; empty: wherever the system puts it
    rounds: int = 40  # at most so many visits to each variant, in rounds over all of them
    visit_ms: float = 30  # a visit times calls until this much time is spent, at least one call
    visit_calls: int | None = None  # a visit times so many calls instead
    warmup_calls: int = 3  # untimed calls before the first visit, at least
    target_pct: float = 2  # a variant is done when its 95 % interval is so narrow, in percent of its latency
    max_blocks: int = 400  # predicted: distinct blocks to measure, at most
    networks: int = 24  # predicted: whole networks to measure; a third of them is held out

    @field_validator("cpus")
    @classmethod
    def _in_order(cls, cpus: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(cpus))

    @model_validator(mode="before")
    @classmethod
    def _blocks_are_many(cls, given: Any) -> Any:
        """A prediction measures hundreds of blocks, which are small: it visits them for shorter times."""
        if isinstance(given, dict) and given.get("kind") == "predicted":
            return {"rounds": 20, "visit_ms": 8} | given
        return given

    @property
    def id(self) -> str:
        """What the number depends on; the rest says how often it was taken."""
        parts = [self.backend, self.precision, f"b{self.batch}", f"t{self.threads}"]
        for name in ("kind", "mode", "device", "memory_format"):
            if (value := getattr(self, name)) != LatencyConfig.model_fields[name].default:
                parts.append(value)
        return "-".join([*parts, *(f"cpu{core}" for core in self.cpus)])
