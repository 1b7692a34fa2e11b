"""Commands that messages suggest, as a shell takes them."""

import shlex
from pathlib import Path


def command(verb: str, *words: str | Path) -> str:
    """`mbsweep run 'my sweep.yaml' --retry`. A Path that begins with a dash is not taken for an option."""
    return shlex.join(
        ["mbsweep", verb, *(path_word(word) if isinstance(word, Path) else word for word in words)]
    )


def path_word(path: Path) -> str:
    """A path that no command takes for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)
