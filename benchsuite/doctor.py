"""What `bench doctor` finds: the facts a bug report or a slow run needs."""

from __future__ import annotations

import os
from typing import Any

import benchsuite
from benchsuite import paths, provenance


def examine() -> dict[str, Any]:
    """Versions, processor, accelerators, memory, data; values are short strings or numbers."""
    import torch

    from benchsuite.models.registry import list_models
    from benchsuite.training.settings import has_bfloat16

    model, flags = provenance.processor()
    data = os.environ.get("BENCHSUITE_DATA")
    facts: dict[str, Any] = {
        "benchsuite": benchsuite.__version__,
        "commit": provenance.commit() or "not a checkout",
        **provenance.versions(),
        "processor": model,
        "cores": os.cpu_count(),
        "threads of torch": torch.get_num_threads(),
        "vector extensions": " ".join(flags) or "none of avx2, avx512, amx",
        "fast bfloat16": "yes" if has_bfloat16("cpu") else "no",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "tasks": str(paths.tasks_root()),
        "models": " ".join(model.name for model in list_models()) or "none",
        "BENCHSUITE_DATA": data or "not set: official data comes from the hub or its cache",
    }
    if data and not os.path.isdir(data):
        facts["BENCHSUITE_DATA"] = f"{data} is not a folder"
    if hasattr(os, "sysconf"):
        facts["memory, GiB"] = round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
        )
    return facts
