"""Exceptions that carry the exit code they end the program with.

The codes are those of ``sysexits.h`` where one fits, as users of fMRIPrep and MRIQC know them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class AppError(Exception):
    """An error with a message for the user and an exit code (70: internal software error).

    Parameters
    ----------
    message
        One sentence: which file or option, what is wrong, what to do.
    """

    exit_code: ClassVar[int] = 70


class JobsFailedError(AppError):
    """At least one job failed; the others are complete."""

    exit_code: ClassVar[int] = 1


class RunsLeftOutError(AppError):
    """Everything is done, but some runs that are there could not be used."""

    exit_code: ClassVar[int] = 3


class UsageError(AppError):
    """The command line or the configuration file asks for something that does not exist."""

    exit_code: ClassVar[int] = 2


class InputInvalidError(AppError):
    """Input data are present but cannot be used: lengths, TR, NaN, a broken file."""

    exit_code: ClassVar[int] = 65


class InputMissingError(AppError):
    """Input is absent: a participant, a stimulus, a derivative."""

    exit_code: ClassVar[int] = 66


class ResourceUnavailableError(AppError):
    """Weights or templates that `run` may not download are absent."""

    exit_code: ClassVar[int] = 69


class OutputError(AppError):
    """The output folder cannot be written, or holds results of another configuration."""

    exit_code: ClassVar[int] = 73


class ResumableError(AppError):
    """Memory or time ran out; the same command goes on where this one stopped."""

    exit_code: ClassVar[int] = 75
