"""English text as it is spoken, written as LibriSpeech writes it: lower case, apostrophes, nothing else."""

import re
import unicodedata

_SPELLED = {"mr.": "mister", "mrs.": "missus", "dr.": "doctor", "st.": "saint", "&": "and"}
_ABBREVIATION = re.compile(r"\b(mr|mrs|dr|st)\.|&", re.IGNORECASE)
_NO_LETTER = re.compile(r"[^a-z']+")
_LOOSE_APOSTROPHE = re.compile(r"(?<![a-z])'|'(?![a-z])")


def spell_out(text: str) -> str:
    """Writes the commonest abbreviations as words, and apostrophes as one character; punctuation stays."""
    return _ABBREVIATION.sub(lambda found: f" {_SPELLED[found[0].lower()]} ", text.replace("’", "'"))


def spoken(text: str) -> str:
    """Keeps letters, in lower case and without accents, and the apostrophes inside words, with single blanks between.

    Digits are dropped like punctuation: whoever cannot have words left out looks for them first.
    """
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").lower().replace("æ", "ae").replace("œ", "oe"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(_LOOSE_APOSTROPHE.sub(" ", _NO_LETTER.sub(" ", plain)).split())
