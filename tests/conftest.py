"""What every test shares: one thread, and the folder of real corpora where there is one."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    # Tests use tiny tensors: threads cost more than they give, and two cores may be shared.
    torch.set_num_threads(1)
    settings.register_profile("busy machine", deadline=None)  # no test is about time
    settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of real corpora: the environment variable ASR_CORPORA, else ../shared/corpora."""
    folder = Path(os.environ.get("ASR_CORPORA", REPOSITORY.parent / "shared" / "corpora"))
    if not folder.is_dir():
        pytest.skip(f"no real corpora at {folder}: set ASR_CORPORA to their folder")
    return folder
