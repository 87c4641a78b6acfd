"""Causal language modelling: every token from those before it (Radford et al. 2019)."""

import numpy as np
import torch
from transformers import PreTrainedModel

from benchsuite.pretrain.objectives.base import BaseObjective, Vocabulary


class Objective(BaseObjective):
    """The next token of packed sequences; every position is a target."""

    architectures = ("gpt2",)

    def describe(self) -> str:
        return "causal LM: the next token, packed sequences"

    def window(self, length: int) -> int:
        return length

    def targets(self, length: int) -> int:
        return length

    def positions(self, length: int) -> dict[str, int]:
        return {"body": length, "head": length}

    def example(
        self, tokens: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        return {"tokens": tokens}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        tokens = batch["tokens"]
        logits = model(
            input_ids=tokens[:, :-1], position_ids=batch.get("position_ids"), use_cache=False
        ).logits
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), tokens[:, 1:].flatten()
        )
