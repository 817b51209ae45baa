"""How an error reaches the user: one line per fault on stderr and an exit status, not a traceback.

Every error class that `asr` defines carries a message meant to be read by users, and so does the system's OSError. Any
other exception is a defect of ours and keeps its traceback. `ASR_DEBUG=1` in the environment shows all tracebacks.
"""

import os

DONE, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def is_for_users(error: BaseException) -> bool:
    """True if the error is told in words, without a traceback."""
    ours = type(error).__module__.partition(".")[0] == "asr"
    return (ours or isinstance(error, OSError)) and os.environ.get("ASR_DEBUG", "0") in ("", "0")


def exit_status(error: BaseException) -> int:
    """2 where the command line or the recipe is at fault, else 1."""
    return USAGE if type(error).__name__ in ("RecipeError", "SightError", "DefaultModelError") else SOME_FAILED


def in_words(error: BaseException) -> str:
    """The error's message, one fault per line, without characters that would steer a terminal."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = str(error) or type(error).__name__
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    start = "asr: " if alone else f"asr: rank {os.environ.get('RANK')}: "
    lines = [start + line for line in message.splitlines()]
    return "\n".join(map(printable, lines))


def printable(line: str) -> str:
    """A line without characters that would steer a terminal: these are shown as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
