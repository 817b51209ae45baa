import pytest

from asr.text.spoken import spell_out, spoken


@pytest.mark.parametrize(
    ("text", "as_spoken"),
    [
        ("“Well,” said Mr. Holmes—‘tis the dog’s.", "well said mister holmes tis the dog's"),
        ("Mrs. Smith & Co., St. Ives; Dr. Who!", "missus smith and co saint ives doctor who"),
        ("'Twas the boys' don't", "twas the boys don't"),
        ("Café, cœur, Ætna, naïve", "cafe coeur aetna naive"),
        ("first.Second", "first second"),
        ("charms.", "charms"),  # "ms." and the like inside words are no titles
        ("  \t ", ""),
    ],
)
def test_text_becomes_what_librispeech_writes(text: str, as_spoken: str) -> None:
    assert spoken(spell_out(text)) == as_spoken
    assert spoken(as_spoken) == as_spoken  # what is spoken stays


def test_spelling_out_leaves_the_ends_of_sentences() -> None:
    assert spell_out("Mr. Bell rang. He waited.").split(". ") == [" mister  Bell rang", "He waited."]
