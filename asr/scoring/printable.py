"""Text of others that is safe to show in a terminal."""

_JOINERS = "\u200c\u200d"  # not printable by Python's reckoning, yet they spell words in Persian and in India


def printable(text: str) -> str:
    """Control characters (so escape sequences), lone surrogates and overrides of direction become U+FFFD."""
    return "".join(char if char.isprintable() or char in _JOINERS else "\ufffd" for char in text)
