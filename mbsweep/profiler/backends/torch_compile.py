"""PyTorch's compiler, Inductor: the network as machine code for this processor, made ahead of time."""

from __future__ import annotations

import io
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mbsweep.base.cache import cache_dir, cached, content_key
from mbsweep.profiler.backends.torch_eager import (
    blank,
    inference,
    on_cuda,
    one_by_one,
    placed,
    use_threads,
    weights_bytes,
)
from mbsweep.profiler.deployed import Deployed
from mbsweep.profiler.device import this_device
from mbsweep.profiler.prepared import Prepared
from mbsweep.profiler.timing import no_garbage_collection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from mbsweep.profiler.calibration import Calibration
    from mbsweep.profiler.config import LatencyConfig

# Freezing makes the weights constants, and convolutions get them in the order they like best.
INDUCTOR = {"freezing": True, "compile_threads": 1}


class TorchCompile:
    """The network through Inductor, as a deployer would have it: frozen, exported, compiled ahead of time.

    Ahead of time (AOTInductor) and not with `torch.compile`, which compiles the same kernels, because
    `torch.compile` calls them from Python, and does not keep a frozen network on disk: each process would
    compile each network again. A network compiles in 5 to 6 s once per machine, most of it in the C++
    compiler, and then loads in 0.05 s. Nothing falls back to eager: the whole network is exported or the
    preparation fails.

    On a GPU by `torch.compile`, since PyTorch 2.11 ends the process when it loads a MobileNet that was
    compiled ahead of time for one. Python costs nothing there: what it calls is captured in a CUDA graph.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch",)
    install: ClassVar[str] = "torch"
    keeps_files: ClassVar[bool] = True
    options: ClassVar[dict[str, tuple[str, ...]]] = {
        "precision": ("fp32", "bf16"),
        "device": ("cpu", "cuda"),
        "memory_format": ("contiguous", "channels_last"),
    }

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Prepared:
        """A call of the compiled package, whose size is told. At bf16 its output is a bfloat16 tensor.

        On a GPU the size is that of the weights. Raises RuntimeError where it must be compiled for the CPU
        and there is no C++ compiler.
        """
        from mbsweep.nets import folded

        use_threads(config.threads)
        net, tensor = placed(folded(module), image, config)
        if config.device == "cuda":
            return _just_in_time(net, tensor)
        package = _package(module, image, config)
        return Prepared(inference(load(package), tensor), len(package))

    def deployed(
        self, module: nn.Module, size: int, config: LatencyConfig, calibration: Calibration | None
    ) -> Deployed:
        """See `backends.Deploys`. On a GPU no file is loaded."""
        import torch

        from mbsweep.nets import folded

        use_threads(config.threads)
        if config.device == "cuda":
            net, _ = placed(folded(module), blank(size), config)
            return Deployed(one_by_one(torch.compile(net, dynamic=False), config))
        package = _package(module, blank(size), config)
        return Deployed(one_by_one(load(package), config), package, ".pt2")


def _package(module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> bytes:
    """A module as a compiled package, from the cache if it was compiled before."""
    import torch

    from mbsweep.nets import folded

    # The code is for one processor, and has the number of threads in its loops.
    machine = (this_device().processor, f"{config.threads} threads")
    settings = (config.precision, config.memory_format, repr(INDUCTOR), torch.__version__)
    key = content_key(module, image, "inductor", *machine, *settings)
    return cached(key, "pt2", lambda: compiled(*placed(folded(module), image, config)))


def compiled(net: nn.Module, image: Tensor) -> bytes:
    """The network as a .pt2 package, for images of this shape on this machine."""
    import torch

    with _inductor(), _plain_folders():
        from torch._inductor import aoti_compile_and_package

        check_compiler()
        file = io.BytesIO()
        with torch.no_grad(), no_garbage_collection():  # it makes millions of objects
            program = torch.export.export(net, (image,))
            aoti_compile_and_package(program, package_path=file, inductor_configs=dict(INDUCTOR))
    return file.getvalue()


def _just_in_time(net: nn.Module, image: Tensor) -> Prepared:
    """The network through `torch.compile`, in a CUDA graph. Inductor keeps its kernels in its cache."""
    import torch

    # A process has hundreds of networks, all of which run the same Python code: none is one too many.
    limits = {"recompile_limit": sys.maxsize, "accumulated_recompile_limit": sys.maxsize}
    with _inductor(), _plain_folders(), torch._dynamo.config.patch(limits), no_garbage_collection():
        compiled = torch.compile(net, fullgraph=True, dynamic=False)
        return on_cuda(inference(compiled, image), weights_bytes(net))


def check_compiler() -> None:
    """RuntimeError, with what is missing, where there is no C++ compiler, or it could not find PyTorch."""
    import torch
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    if not _is_plain(installed := str(Path(torch.__file__).parent)):
        raise RuntimeError(
            f"PyTorch's compiler cannot link with {installed!r}, whose path has a space or a quote; install "
            "mbsweep in an environment whose path has none"
        )
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        wanted = os.environ.get("CXX", "g++")
        raise RuntimeError(
            f"no C++ compiler: {wanted!r} does not run; install g++, or name another in CXX"
        ) from None


def load(package: bytes) -> Callable[[Tensor], Tensor]:
    """The compiled network, to be called."""
    with _inductor():
        from torch._inductor import aoti_load_package

        return aoti_load_package(io.BytesIO(package))


@contextmanager
def _inductor() -> Iterator[None]:
    """Inductor with its files in mbsweep's cache, unless the user has them elsewhere, and no workers.

    Worker processes would live on beside the timed calls. Both variables are read when Inductor is imported.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_dir() / "inductor"))
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Inductor uses deprecated parts of torch
        yield


@contextmanager
def _plain_folders() -> Iterator[None]:
    """Inductor's files in folders whose paths its command lines, which quote nothing, leave in one piece.

    Raises RuntimeError where there is none.
    """
    before = {name: os.environ.get(name) for name in ("TORCHINDUCTOR_CACHE_DIR", "TMPDIR")}
    before_folder = tempfile.gettempdir()
    if _is_plain(os.environ["TORCHINDUCTOR_CACHE_DIR"]) and _is_plain(before_folder):
        yield
        return
    folder = _plain_folder()
    try:
        os.environ |= dict.fromkeys(before, folder)
        tempfile.tempdir = folder
        yield
    finally:
        tempfile.tempdir = before_folder
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _plain_folder() -> str:
    """The user's own folder for Inductor among temporary ones; it stays, since a process reads it again."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108  (its owner is looked at)
        if not _is_plain(parent):
            continue
        folder = Path(parent) / f"mbsweep-inductor-{os.getuid()}"
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.lstat().st_uid == os.getuid():
                return str(folder)
    raise RuntimeError(
        f"PyTorch's compiler cannot work in {tempfile.gettempdir()!r}, whose path has a space or a quote; "
        "set TMPDIR to a folder without"
    )


def _is_plain(path: str) -> bool:
    try:
        return shlex.split(path) == [path]
    except ValueError:  # a single quote
        return False
