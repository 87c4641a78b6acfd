"""Masked language modelling (Devlin et al. 2019): hidden tokens from both sides."""

import numpy as np
import torch
from pydantic import model_validator
from transformers import PreTrainedModel

from benchsuite.pretrain.objectives.base import BaseObjective, Rate, Share, Vocabulary

IGNORED = -100


class Objective(BaseObjective):
    """15% of the tokens are targets: 80% become [MASK], 10% a random token, 10% stay.

    Masks are dynamic (Liu et al. 2019): drawn anew each time a row is read. A row is
    `[CLS] A [SEP] B [SEP]`, cut at a random point, so that both segment embeddings are trained;
    the others are `[CLS] A [SEP]`. B goes on where A ends: there is no next-sentence task.
    Special tokens, the ends of documents within a row among them, are never targets.

    whole_word: whole words are drawn (Devlin et al.'s later release); a word is a run of tokens
    whose touching characters are letters or digits.
    split_rate: share of the rows that have a B.
    """

    architectures = ("bert",)
    # [CLS], a token of A, [SEP], one of B, [SEP]
    shortest = 5
    rate: Rate = 0.15
    mask_share: Share = 0.8
    random_share: Share = 0.1
    whole_word: bool = False
    split_rate: Share = 0.5

    @model_validator(mode="after")
    def _shares_fit(self) -> "Objective":
        if self.mask_share + self.random_share > 1:
            raise ValueError("mask_share and random_share exceed 1")
        return self

    def describe(self) -> str:
        unit = "whole words" if self.whole_word else "tokens"
        return (
            f"masked LM: {self.rate:.0%} of the {unit}, of which {self.mask_share:.0%} [MASK], "
            f"{self.random_share:.0%} random, the rest unchanged; drawn anew at each reading; "
            f"{self.split_rate:.0%} of the rows in two segments"
        )

    def window(self, length: int) -> int:
        # the tokens of a row with two segments; one with one has room for one more
        return length - 3

    def targets(self, length: int) -> int:
        return max(1, round(self.rate * self.window(length)))

    def positions(self, length: int) -> dict[str, int]:
        return {"body": length, "head": self.targets(length)}

    def example(
        self, tokens: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """`input_ids` and `token_type_ids` (length,); `positions` and `labels` (targets,).

        Where a row has fewer tokens to draw from, labels are filled up with -100.
        """
        length = len(tokens) + 2
        cls, sep = [vocabulary.cls], [vocabulary.sep]
        segments = np.zeros(length, dtype=np.int64)
        if random.random() < self.split_rate:
            cut = int(random.integers(1, len(tokens) - 1))
            ids = np.concatenate([cls, tokens[:cut], sep, tokens[cut:-1], sep])
            segments[cut + 2 :] = 1
        else:
            ids = np.concatenate([cls, tokens, sep])
        count = self.targets(length)
        chosen = np.sort(self._choose(ids, count, vocabulary, random))
        positions = np.zeros(count, dtype=np.int64)
        labels = np.full(count, IGNORED, dtype=np.int64)
        positions[: len(chosen)] = chosen
        labels[: len(chosen)] = ids[chosen]
        fate = random.random(len(chosen))
        drawn = random.choice(vocabulary.ordinary, len(chosen))
        hidden = np.where(fate < self.mask_share + self.random_share, drawn, ids[chosen])
        ids[chosen] = np.where(fate < self.mask_share, vocabulary.mask, hidden)
        return {
            "input_ids": ids,
            "token_type_ids": segments,
            "positions": positions,
            "labels": labels,
        }

    def _choose(
        self, ids: np.ndarray, count: int, vocabulary: Vocabulary, random: np.random.Generator
    ) -> np.ndarray:
        """Positions of at most `count` targets, none special."""
        allowed = np.flatnonzero(~vocabulary.special[ids])
        if not self.whole_word:
            return random.permutation(allowed)[:count]
        first, last = vocabulary.word_edges
        goes_on = np.zeros(len(ids), dtype=bool)
        goes_on[1:] = first[ids[1:]] & last[ids[:-1]]
        words = np.split(allowed, np.flatnonzero(~goes_on[allowed])[1:])
        chosen: list[int] = []
        order = random.permutation(len(words))
        for number in order:
            # a word that would exceed the count is passed over, as in the paper's code
            if len(chosen) + len(words[number]) <= count:
                chosen.extend(words[number])
        if not chosen and len(allowed):  # short rows of long words: a batch needs a target
            chosen.extend(words[order[0]][:count])
        return np.array(chosen, dtype=np.int64)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        hidden = model.base_model(
            input_ids=batch["input_ids"],
            token_type_ids=batch["token_type_ids"],
            position_ids=batch.get("position_ids"),
        ).last_hidden_state
        # the vocabulary's layer is as large as two blocks: it sees the targets alone
        index = batch["positions"].unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        logits = model.get_submodule("cls")(hidden.gather(1, index))
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED
        )
