from asr.corpora.manifest import Utterance, write_manifest


def test_files_are_told_and_not_replaced(asr, tmp_path):
    write_manifest(tmp_path / "train.jsonl", [Utterance("a", tmp_path / "a.wav", 0.0, 1.0, "yes", "s", "en")])
    outcome = asr("export", tmp_path / "train.jsonl", tmp_path / "out", "--to", "nemo")
    assert (outcome.status, outcome.out) == (0, f"{tmp_path / 'out' / 'train.json'}\n")
    outcome = asr("export", tmp_path / "train.jsonl", tmp_path / "out", "--to", "nemo")
    assert outcome.status == 1
    assert "is there already" in outcome.err
    assert asr("export", tmp_path / "train.jsonl", tmp_path / "out", "--to", "nemo", "--overwrite").status == 0
    assert asr("export", tmp_path / "train.jsonl", tmp_path / "out").status == 2
    assert "expected one of kaldi, nemo, lhotse" in asr("export", tmp_path / "train.jsonl", "x", "--to", "x").err
