"""The one error that a user is meant to see."""


class MbsweepError(Exception):
    """Something that the user can put right.

    The message says where, what was given, what is allowed and what to do. The command line prints it
    without a traceback and exits with 2.
    """


def printable(words: object) -> str:
    """With control characters, such as a path may have, as Python would write them: on one line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(words))


def one_line(words: object, at_most: int | None = None) -> str:
    """What others have said, such as an exception, as a message of ours quotes it: on one line, and without
    the control characters to which a terminal would listen. at_most: that many characters.
    """
    printable = "".join(one if one.isprintable() else " " for one in str(words))
    return " ".join(printable.split())[:at_most]
