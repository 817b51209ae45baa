"""A small part of what `scripts/prove_prepare` does, in a process of its own: it tells its children's memory."""

import subprocess
import sys
from pathlib import Path


def test_mutated_audio_lists_and_archives() -> None:
    script = Path(__file__).parents[2] / "scripts" / "prove_prepare"
    command = [sys.executable, str(script), "--files", "500", "--lists", "40", "--archives", "60"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
