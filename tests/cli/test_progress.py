from asr.cli import progress


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress_bar("digits") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "digits: 1 of 2\n")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.progress_bar("digits [x]") as tell:
        tell(1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "digits [x]" in captured.err


def test_pace_of_a_log(capsys, monkeypatch):
    times = iter([0.0, 5.0, 5.0, 5.0])
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with progress.pace_bar(lambda: 3660.0) as tell:
        tell(60.0)
    assert capsys.readouterr() == ("", "0:01:00 of 1:01:00, 12.0 × real time, 0:05:00 left\n")


def test_pace_on_a_terminal_and_of_silent_ranks(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.pace_bar(lambda: 0.0) as tell:
        tell(7260.0)
    assert "2:01:00 of 2:01:00" in capsys.readouterr().err
    with progress.pace_bar(lambda: 1 / 0, shown=False) as tell:
        tell(1.0)
