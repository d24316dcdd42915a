"""Errors that a user can cause and put right. Each prints as one line, without a traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something asked for is not there: an option, a parameter, a file. The command exits with status 2."""

    exit_status = 2


class DataError(UserError):
    """A source did not pass its checks, so nothing may be built from it. The command exits with status 1."""

    exit_status = 1


def nearest(value: str, valid: Iterable[str], limit: int = 3) -> str:
    """The valid values most like `value`, as a phrase to end an error message with."""
    options = sorted({str(option) for option in valid})
    folded = {option.casefold(): option for option in options}
    close = [folded[match] for match in difflib.get_close_matches(value.casefold(), folded, limit, cutoff=0.5)]
    if close:
        return f"nearest: {', '.join(close)}"
    shown = ", ".join(options[:20])
    return f"valid: {shown}{', ...' if len(options) > 20 else ''}" if options else "there are none"


class UndeclaredSourceError(UserError):
    """A notebook reads a table that it does not declare."""
