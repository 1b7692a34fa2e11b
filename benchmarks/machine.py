"""On what processor a figure was found: what it can do that matters for latencies."""

from pathlib import Path

from mbsweep.profiler.device import this_device, versions

# what docs call it -> any of these among the kernel's flags
ABLE = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
    "bf16": {"avx512_bf16", "amx_bf16"},
    "AMX": {"amx_tile"},
}


def machine(cpuinfo: str) -> str:
    """`AVX2, AVX-512; no VNNI, bf16, AMX`, of the text of /proc/cpuinfo."""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {flag for name, _, words in lines if name.strip() == "flags" for flag in words.split()}
    has = [name for name, any_of in ABLE.items() if flags & any_of]
    lacks = [name for name in ABLE if name not in has]
    return "; ".join(filter(None, [", ".join(has), f"no {', '.join(lacks)}" if lacks else ""]))


def heading(command: str) -> str:
    """What stands above a benchmark's figures: its command, the machine, and the versions of the runtimes."""
    cpuinfo = Path("/proc/cpuinfo")
    able = machine(cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else ""
    used = ", ".join(f"{name} {versions()[name]}" for name in ("python", "torch", "onnxruntime"))
    return f"$ {command}\n  {'; '.join(filter(None, [str(this_device()), able, used]))}"
