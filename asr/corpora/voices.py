"""The voices of the embedded corpus: eSpeak NG's accents of English, spoken by its voice variants.

A variant (formants, pitch, roughness, breath) is what makes a speaker, so splits share accents but never a variant:
test and dev speak with voices that training has not heard. Left out are whispers, robots and monsters, and
variants all but equal to a held-out one (the long-term spectra of rob and robert, klatt5 and klatt4 differ by 1 dB).
"""

ACCENTS = (
    "en-us",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-us-nyc",
    "en-gb-x-gbclan",
    "en",
    "en-gb-x-gbcwmd",
    "en-029",
)
"""American, received pronunciation, Scottish, New York, Lancashire, British, West Midlands, Caribbean."""

_VARIANTS = {
    "train": (
        *("m1", "f1", "m2", "f3", "m4", "f4", "m5", "Annie", "m8", "Alicia", "Alex", "belinda", "Andy", "shelby"),
        *("Denis", "steph", "Gene", "Andrea", "Lee", "Nguyen", "Michael", "Mike", "adam", "ed", "boris", "Diogo"),
        *("edward", "michel", "john", "max", "miguel", "norbert", "paul", "quincy", "travis", "david"),
        *("marcelo", "klatt3"),
    ),
    "dev": ("m6", "f2", "Mario", "grandma", "klatt4", "sandro"),
    "test": ("m3", "f5", "m7", "linda", "robert", "aunty", "victor", "Hugo"),
}
_ACCENTS_PER_VARIANT = 2


def list_voices(split: str) -> list[str]:
    """List the voices of a split.

    Args:
        split: "train", "dev" or "test".

    Returns:
        Names as eSpeak NG takes them, `accent+variant`; each variant speaks with two accents.
    """
    variants = _VARIANTS[split]
    voices = []
    for turn in range(_ACCENTS_PER_VARIANT):
        for rank, variant in enumerate(variants):
            accent = ACCENTS[(rank + 3 * turn + rank // len(ACCENTS)) % len(ACCENTS)]
            voices.append(f"{accent}+{variant}")
    return voices


def list_many_voices() -> list[str]:
    """List every accent spoken by every variant of the training voices, as `list_voices` names them."""
    return [f"{accent}+{variant}" for accent in ACCENTS for variant in _VARIANTS["train"]]
