"""Letters of any script, as far as the machine has fonts for them."""

import unicodedata

from matplotlib.font_manager import FontEntry, findfont, fontManager, get_font

USUAL = "DejaVu Sans"  # matplotlib brings it: Latin, Greek, Cyrillic, Arabic and more
_BOXES = "Last Resort"  # matplotlib brings it, too: a box for every character there is


def families_for(text: str) -> list[str]:
    """Names the usual font and behind it installed ones that have what it lacks, for matplotlib to fall back upon.

    Args:
        text: All that is to be written. Characters that no font has are drawn as boxes.
    """
    missing = {ord(char) for char in text if char.isprintable()} - _characters(findfont(USUAL))
    families = [USUAL]
    for font in sorted(fontManager.ttflist, key=_rank):
        if not missing:
            break
        if font.style != "normal" or font.weight != 400 or font.name.startswith(_BOXES):
            continue
        found = missing & _characters(font.fname)
        if found:
            families.append(font.name)
            missing -= found
    return families


def n_columns(text: str) -> int:
    """Counts the widths of a letter that a text covers: two for a Chinese character, none for an accent of its own."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) == "Mn" for char in text)


def _characters(path: str) -> set[int]:
    try:
        return set(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a broken font is none
        return set()


def _rank(font: FontEntry) -> tuple[bool, str]:
    """Sans-serif fonts made for screens first: they go with the usual one."""
    return not font.name.startswith("Noto Sans"), font.name
