"""The one error that a user is meant to see."""


class MbsweepError(Exception):
    """Something that the user can put right.

    The message says where, what was given, what is allowed and what to do. The command line prints it
    without a traceback and exits with 2.
    """
