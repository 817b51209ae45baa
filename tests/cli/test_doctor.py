from asr.cli import checks


def test_this_machine_is_fit(asr):
    outcome = asr("doctor")
    assert outcome.status == 0, outcome.out
    for name in ("python", "torch", "device", "threads", "audio", "espeak", "disk"):
        assert f"ok  {name}" in outcome.out


def test_a_wrong_pair_is_found(asr, monkeypatch):
    monkeypatch.setattr(checks, "version", lambda name: "2.15.0" if name == "torch" else "2.11.0")
    outcome = asr("doctor")
    assert outcome.status == 1
    assert "BAD torch" in outcome.out
    assert "install the pair that goes together" in outcome.out


def test_a_broken_library_is_a_finding(asr, monkeypatch):
    def broken(name):
        raise OSError("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr(checks, "import_module", broken)
    outcome = asr("doctor")
    assert outcome.status == 1
    assert ": libc10_cuda.so: cannot open" in outcome.out
    assert "install the pair that goes together" in outcome.out
