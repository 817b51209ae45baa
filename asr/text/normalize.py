"""The one text normalisation, shared by preparation, training and scoring."""


def normalize(text: str) -> str:
    """Bring a transcript into the form that is trained on and scored.

    Case is folded to lower and white space (tabs and line ends included) collapsed to single blanks. Nothing else
    changes: apostrophes, hyphens, punctuation and digits stay, so that figures are comparable with others' raw scores.

    Args:
        text: any transcript.

    Returns:
        The transcript without leading or trailing white space; empty when there was nothing else.
    """
    return " ".join(text.lower().split())
