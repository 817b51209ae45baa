"""The trn format of NIST sclite: one utterance a line, ``the words (speaker-utterance)``."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from asr.scoring.corpus import by_id
from asr.scoring.rows import refuse

_LINE = re.compile(r"(.*?)\s*\(([^\s()]+)\)\s*")
# What would break an id in the format, a terminal or UTF-8 (file names may hold lone surrogates), and a percent sign
# that would read as an escape already there.
_UNSAFE = re.compile(r"[\s()\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]|%(?=[0-9A-Fa-f]{2})")


def trn_id(id: str) -> str:
    """Makes an id fit for the format: white space, parentheses and control characters become %XX, all else stays.

    Different ids stay different. sclite takes what precedes the first ``-`` or ``_`` for the speaker.
    """
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass")), id)


def format_trn(texts: Mapping[str, str]) -> str:
    """Renders id → text as trn lines, in the mapping's order; white space within a text is collapsed."""
    return "".join(f"{' '.join(text.split())} ({trn_id(id)})\n".lstrip(" ") for id, text in texts.items())


def write_trn(path: Path, texts: Mapping[str, str]) -> None:
    """Writes id → text as a trn file (UTF-8)."""
    path.write_text(format_trn(texts), encoding="utf-8", newline="\n")


def read_trn(path: Path) -> dict[str, str]:
    """Reads a trn file; blank lines and ``;;`` comments are passed over, BOM and CRLF tolerated.

    Raises:
        ScoringError: Every line without ``(id)`` at its end, by number; or every id that occurs twice.
        OSError: The file cannot be read.
    """
    return by_id(parse_trn(path, path.read_text(encoding="utf-8-sig").split("\n")), str(path))


def parse_trn(path: Path, lines: Iterable[str]) -> list[tuple[str, str]]:
    """The (id, text) pairs of a trn file's lines; `path` is for the messages of errors, as of `read_trn`."""
    pairs, faults = [], []
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found:
            pairs.append((found[2], " ".join(found[1].split())))
        elif line.strip() and not line.startswith(";;"):
            faults.append(f"{path}:{number}: expected 'words (id)', found {line[:60]!r}")
    refuse(faults)
    return pairs
