"""What is taken from texts before they are compared: nothing by default, rules of a name or of a file when told.

Whichever it is, the report names it: two error rates compare only when the same was done to both.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from asr.scoring.errors import ScoringError

_APOSTROPHES = {"\u2019": "'", "\u02bc": "'", "\uff07": "'"}
_INSIDE_WORDS = "'"
_MAX_WORDS = 32  # of a rule's left side


@dataclass(frozen=True)
class Normalizer:
    """Rules for texts.

    Attributes:
        name: What a report calls them: a version or a hash tells one state of the rules from another.
        apply: From a text to the text that is compared, its words separated by single blanks.
    """

    name: str
    apply: Callable[[str], str]


RAW = Normalizer("raw: words compared exactly, case included", lambda text: " ".join(text.split()))


def normalizer(specs: Sequence[str]) -> Normalizer:
    """Makes a normaliser of one or several, applied in turn; of none, `RAW`.

    Args:
        specs: Each "basic" (see `basic`), "whisper" (English, of the package whisper-normalizer) or a file of rules
            (see `read_rules`).

    Raises:
        ScoringError: The package or the file is missing, or the file's rules are faulty.
    """
    if not specs:
        return RAW
    parts = [_named(spec) for spec in specs]

    def apply(text: str) -> str:
        for part in parts:
            text = part.apply(text)
        return " ".join(text.split())

    return Normalizer(", then ".join(part.name for part in parts), apply)


def _named(spec: str) -> Normalizer:
    if spec == "basic":
        return Normalizer("basic (rules 1)", basic)
    if spec == "whisper":
        return _whisper()
    return read_rules(Path(spec))


def basic(text: str) -> str:
    """Folds what seldom matters, in any language: NFKC, case, punctuation and symbols.

    Letters keep their accents and vowel signs. An apostrophe within a word stays, in its typewriter form; all other
    punctuation, symbols and control characters separate words.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = "".join(_APOSTROPHES.get(char, char) for char in text)
    kept = (char if char in _INSIDE_WORDS or not _separates(char) else " " for char in text)
    words = (word.strip(_INSIDE_WORDS) for word in "".join(kept).split())
    return " ".join(word for word in words if word)


def _separates(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS" or unicodedata.category(char) == "Cc"


def _whisper() -> Normalizer:
    try:
        english = import_module("whisper_normalizer.english")
    except ImportError:
        raise ScoringError(
            "--normalize whisper needs the package whisper-normalizer: pip install 'asr[normalize]'; or give "
            "--normalize basic"
        ) from None
    return Normalizer(
        f"whisper English (whisper-normalizer {version('whisper-normalizer')})", english.EnglishTextNormalizer()
    )


def read_rules(path: Path) -> Normalizer:
    """Reads rules: ``from`` TAB ``to`` on each line, both any number of words, ``to`` possibly none.

    At every word the rule with the longest ``from`` that stands there is applied, and its outcome is not looked at
    again. Blank lines and lines that begin with ``#`` are passed over. Words are compared exactly: put "basic" before
    the file to fold case first.

    Raises:
        ScoringError: Lines that are no rule, by number; two rules for the same words.
        OSError: The file cannot be read.
    """
    content = path.read_bytes()
    rules: dict[tuple[str, ...], tuple[str, ...]] = {}
    faults = []
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ScoringError(f"{path}: not UTF-8 at byte {error.start}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        source, tab, target = line.partition("\t")
        words = tuple(source.split())
        if not tab or not words or "\t" in target.rstrip() or len(words) > _MAX_WORDS:
            faults.append(
                f"{path}:{number}: expected 'from TAB to', 1 to {_MAX_WORDS} words in front, found {line[:60]!r}"
            )
        elif words in rules:
            faults.append(f"{path}:{number}: a second rule for {source.strip()[:60]!r}")
        else:
            rules[words] = tuple(target.split())
    if faults or not rules:
        raise ScoringError("\n".join(faults) or f"{path}: holds no rule")
    name = f"{path.name} ({len(rules)} rules, SHA-256 {hashlib.sha256(content).hexdigest()[:12]})"
    return Normalizer(name, lambda text: _replace(text.split(), rules, max(map(len, rules))))


def _replace(words: list[str], rules: dict[tuple[str, ...], tuple[str, ...]], longest: int) -> str:
    found: list[str] = []
    at = 0
    while at < len(words):
        for n_words in range(min(longest, len(words) - at), 0, -1):
            target = rules.get(tuple(words[at : at + n_words]))
            if target is not None:
                found += target
                at += n_words
                break
        else:
            found.append(words[at])
            at += 1
    return " ".join(found)
