import json

import numpy as np
import soundfile as sf


def test_a_manifest_is_packed_and_told(asr, tmp_path):
    row = {"audio": "a.wav", "start": 0, "duration": 0.5, "text": "yes", "speaker": "s", "language": "en"}
    lines = [json.dumps(row | {"id": name}) for name in "ab"]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    sf.write(tmp_path / "a.wav", np.full(8000, 0.5), 16_000)
    outcome = asr("shard", tmp_path / "train.jsonl", tmp_path / "out", "--shard-mb", "0.01")
    assert outcome.status == 0
    assert outcome.out.startswith(f"{tmp_path / 'out' / 'train.jsonl'}: 2 utterances in 2 tars, 0.")
    again = asr("shard", tmp_path / "train.jsonl", tmp_path / "out")
    assert (again.status, "exists already" in again.err) == (1, True)


def test_what_cannot_be_read_is_told(asr, tmp_path):
    row = {"id": "a", "audio": "a.wav", "start": 0, "duration": 1, "text": "yes", "speaker": "s", "language": "en"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    outcome = asr("shard", tmp_path / "train.jsonl", tmp_path / "out", "--max-rejected", "1")
    assert outcome.status == 0
    assert "1 cannot be read and are left out, see" in outcome.out
    assert asr("shard", tmp_path / "train.jsonl", tmp_path / "no").status == 1
    assert asr("shard", tmp_path / "missing.jsonl", tmp_path / "no").status == 1
