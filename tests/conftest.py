"""Settings and fixtures that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches out; read before any library looks
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session", autouse=True)
def passes_in_float32() -> Iterator[None]:
    """What the machine is faster in has no say, but where a test or a command asks it."""
    from benchsuite.training import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "has_bfloat16", lambda device: False)
        yield


@pytest.fixture(scope="session")
def tiny_gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random GPT-2."""
    from tests.tiny import tiny_gpt2

    return tiny_gpt2(tmp_path_factory.mktemp("tiny") / "gpt2")


@pytest.fixture(scope="session")
def tiny_bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random BERT."""
    from tests.tiny import tiny_bert

    return tiny_bert(tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture(scope="session")
def tiny_t5_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random T5."""
    from tests.tiny import tiny_t5

    return tiny_t5(tmp_path_factory.mktemp("tiny") / "t5")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads wait for each other longer than they work on networks this small."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)
