"""What every objective offers to the loop and to the model card."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from benchsuite.errors import InputError

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Vocabulary:
    """What objectives know of the shared tokenizer; special tokens by id."""

    tokenizer: PreTrainedTokenizerFast
    end: int
    pad: int
    cls: int
    sep: int
    mask: int
    sentinels: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> "Vocabulary":
        """Read the ids from a tokenizer made by `bench tokenizer train`.

        Raises InputError where it does not say which its special tokens are.
        """
        ids = tokenizer.get_vocab()
        sentinels: list[int] = []
        while (name := f"<extra_id_{len(sentinels)}>") in ids:
            sentinels.append(ids[name])
        special = {
            "end": tokenizer.eos_token_id,
            "pad": tokenizer.pad_token_id,
            "cls": tokenizer.cls_token_id,
            "sep": tokenizer.sep_token_id,
            "mask": tokenizer.mask_token_id,
        }
        if None in special.values() or not sentinels:
            raise InputError(
                f"{tokenizer.name_or_path or 'the tokenizer'} lacks special tokens; use one made "
                "by `bench tokenizer train`, all of its files"
            )
        return cls(tokenizer=tokenizer, **special, sentinels=tuple(sentinels))

    @property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return len(self.tokenizer)

    @cached_property
    def special(self) -> np.ndarray:
        """(size,) bool: which ids are special tokens."""
        flags = np.zeros(self.size, dtype=bool)
        flags[list(self.tokenizer.added_tokens_decoder)] = True
        return flags

    @cached_property
    def ordinary(self) -> np.ndarray:
        """Ids of all tokens that are not special."""
        return np.flatnonzero(~self.special)

    @cached_property
    def word_edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Two (size,) bool: whether a token's first, and its last, character is a word's.

        Letters and digits are; so are the pieces of a character that takes several tokens. A space
        counts as a first character where WordPiece puts it before a token.
        """
        decode = self.tokenizer.backend_tokenizer.decode
        end = self.tokenizer.eos_token
        # behind another token: WordPiece tells there alone what begins a word
        texts = [
            decode([self.end, i], skip_special_tokens=False).removeprefix(end)
            for i in range(self.size)
        ]
        first = [bool(text) and _of_word(text[0]) for text in texts]
        last = [bool(text) and _of_word(text[-1]) for text in texts]
        return np.array(first) & ~self.special, np.array(last) & ~self.special


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "\N{REPLACEMENT CHARACTER}"


class BaseObjective(BaseModel, ABC):
    """An objective; its fields are the settings a recipe may give in `objective_settings`.

    Everything random about a row comes from a generator seeded by the row's number, so that a
    resumed run needs no generator state and accumulation changes nothing.

    architectures: what it trains. shortest: the fewest positions that make a row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    architectures: ClassVar[tuple[str, ...]]
    shortest: ClassVar[int] = 2

    @abstractmethod
    def describe(self) -> str:
        """One line for the model card."""

    def modules(self, model: PreTrainedModel) -> dict[str, torch.nn.Module]:
        """What is trained beside a fresh model, a head over pairs say, or a generator; none here.

        `loss` finds it as `model.objective[name]`. It is in checkpoints, and not exported.
        `positions` counts where it computes as the part `objective`.
        """
        return {}

    @abstractmethod
    def window(self, length: int) -> int:
        """Raw tokens of text that a row of `length` positions consumes."""

    @abstractmethod
    def targets(self, length: int) -> int:
        """Loss positions a row."""

    @abstractmethod
    def positions(self, length: int) -> dict[str, int]:
        """Positions a row at which each part of the network (`weights_by_part`) computes."""

    @abstractmethod
    def example(
        self, tokens: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Model inputs and targets of one row, int64, from (window + 1,) raw token ids.

        The one token above the window is the next row's first: a last target or a filler.
        Shapes depend on the length alone.
        """

    @abstractmethod
    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats a target, computed in float32 from a collated batch.

        Shifted rows of a model with a position table have `position_ids` beside what `example`
        gives.
        """

    def collate(
        self, windows: torch.Tensor, vocabulary: Vocabulary, keys: Sequence[Sequence[int]]
    ) -> dict[str, torch.Tensor]:
        """Inputs and targets, (rows, ...) each, of (rows, window + 1) ids; a key seeds each row."""
        examples = [
            self.example(tokens, vocabulary, np.random.default_rng(key))
            for tokens, key in zip(windows.numpy(), keys, strict=True)
        ]
        return {
            name: torch.from_numpy(np.stack([example[name] for example in examples]))
            for name in examples[0]
        }
