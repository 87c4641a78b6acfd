"""Span corruption (Raffel et al. 2020): spans are cut out and written out in order."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from transformers import PreTrainedModel

from benchsuite.pretrain.objectives.base import BaseObjective, Rate, Share, Vocabulary
from benchsuite.pretrain.tokenizer import SENTINELS


class Objective(BaseObjective):
    """15% of the tokens, in spans of 3 on average, each replaced by a sentinel of its own.

    Input: the row with `<extra_id_i>` for span i, then the end-of-text token. Target:
    `<extra_id_0> span 0 <extra_id_1> span 1 ...`, a closing sentinel, the end-of-text token.

    Numbers of spans and of cut-out tokens are fixed for a length, so shapes are static; lengths of
    spans and of what is kept between them are drawn uniformly among all partitions, as in the
    paper's code. There, a row begins with a kept token and ends with a span; here both ends may be
    either. The vocabulary's 32 sentinels allow 31 spans: in rows of more than 622 tokens the mean
    span grows instead, to 5.0 at 1,024.

    shifted: share of the rows whose spans are numbered from a random sentinel on, not from 0, so
    that short rows train all sentinels and longer ones later on meet none they do not know; 0 in
    the paper.
    """

    architectures = ("t5",)
    rate: Rate = 0.15
    mean_span: Annotated[float, Field(ge=1)] = 3.0
    sentinels: Annotated[int, Field(ge=2, le=SENTINELS)] = SENTINELS
    shifted: Share = 0.0

    def describe(self) -> str:
        return (
            f"span corruption: {self.rate:.0%} of the tokens in spans of {self.mean_span:g} on "
            f"average, at most {self.sentinels - 1} spans a row"
            + (
                f", {self.shifted:.0%} of the rows numbered from a random one"
                if self.shifted
                else ""
            )
        )

    def window(self, length: int) -> int:
        return length

    def noise(self, length: int) -> tuple[int, int]:
        """(tokens cut out, spans) of a row of `length` tokens."""
        tokens = max(1, round(self.rate * length))
        spans = max(1, round(tokens / self.mean_span))
        return tokens, min(spans, self.sentinels - 1, length - tokens + 1)

    def targets(self, length: int) -> int:
        tokens, spans = self.noise(length)
        return tokens + spans + 2

    def positions(self, length: int) -> dict[str, int]:
        tokens, spans = self.noise(length)
        target = self.targets(length)
        return {"encoder": length - tokens + spans + 1, "decoder": target, "head": target}

    def example(
        self, tokens: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """`input_ids` (kept + spans + 1,), `labels` and `decoder_input_ids` (targets,)."""
        tokens = tokens[:-1]
        noise, spans = self.noise(len(tokens))
        cut = _partition(noise, spans, random)
        # only the outer two may be empty: neighbouring spans would be one
        kept = _partition(len(tokens) - noise + 2, spans + 1, random)
        kept[[0, -1]] -= 1
        offset = 0
        if random.random() < self.shifted:
            offset = int(random.integers(self.sentinels - spans))
        inputs: list[np.ndarray | list[int]] = []
        target: list[np.ndarray | list[int]] = []
        at = 0
        for number in range(spans):
            sentinel = [vocabulary.sentinels[offset + number]]
            start = at + kept[number]
            end = start + cut[number]
            inputs += [tokens[at:start], sentinel]
            target += [sentinel, tokens[start:end]]
            at = end
        inputs += [tokens[at:], [vocabulary.end]]
        target += [[vocabulary.sentinels[offset + spans]], [vocabulary.end]]
        labels = np.concatenate(target)
        return {
            "input_ids": np.concatenate(inputs),
            "labels": labels,
            "decoder_input_ids": np.concatenate([[vocabulary.pad], labels[:-1]]),
        }

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        # every position of the decoder is a target, and no other is projected
        logits = model(
            input_ids=batch["input_ids"],
            decoder_input_ids=batch["decoder_input_ids"],
            use_cache=False,
        ).logits
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["labels"].flatten()
        )


def _partition(total: int, parts: int, random: np.random.Generator) -> np.ndarray:
    """`parts` positive integers that add up to `total`; each such sequence is equally likely."""
    borders = 1 + np.sort(random.choice(total - 1, parts - 1, replace=False))
    return np.diff(np.concatenate([[0], borders, [total]])).astype(np.int64)
