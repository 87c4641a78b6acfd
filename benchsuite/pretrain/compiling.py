"""Compiling a step: what that takes, and which attention a compiler is given."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch._functorch.config as functorch_config

from benchsuite.errors import InputError

# Longest rows whose attention a compiler for CPUs is given as matrix products and a softmax: it
# makes one pass of what lies between them. torch's fused attention is slower up to there, most of
# all backward and in bfloat16, whose products it does not use. In float32 the matrices of scores
# outgrow the caches sooner; longer rows than these were not tried.
PLAIN_ATTENTION = {"bfloat16": 1024, "float32": 64}


def compiled(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The function compiled for static shapes. Raises InputError where no compiler is installed."""
    if device.type == "cuda":  # Triton's launcher is C
        names = [os.environ.get("CC", "gcc"), "clang"]
    else:
        names = [os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")]
    if not any(shutil.which(shlex.split(name)[0]) for name in names if name.strip()):
        raise InputError(
            f"`compile: true` needs a compiler ({' or '.join(names)}), and none is installed; "
            f"install one, or set `compile: false` in the recipe"
        )
    # Without it a view of T5's activations is saved for one use and a mask of booleans for
    # another, whose kernel alone took a tenth of a step on a CPU.
    functorch_config.recompute_views = True
    return torch.compile(function, dynamic=False)
