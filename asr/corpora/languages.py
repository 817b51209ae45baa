"""Names of languages as corpora have them, and the codes that rows of manifests have."""

CODES = {
    **{"arabic": "ar", "catalan": "ca", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en"},
    **{"finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi"},
    **{"hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "mandarin": "zh"},
    **{"norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru"},
    **{"spanish": "es", "swahili": "sw", "swedish": "sv", "tamil": "ta", "thai": "th", "turkish": "tr"},
    **{"ukrainian": "uk", "urdu": "ur", "vietnamese": "vi"},
}
"""ISO 639-1 by English name, lower case."""


def language_code(name: str) -> str:
    """The code of a language; whatever else it is called is kept."""
    return CODES.get(name.strip().lower(), name)
