"""Virtual tokens before a text: peft's prompts and prefixes around a body of transformers."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from peft import PeftModelForFeatureExtraction, PromptLearningConfig
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache


class VirtualTokens(nn.Module):
    """A body with peft's prompt (embeddings before the text's) or prefix (past keys and values).

    The pass is not peft's own, which drops the segments of a pair: virtual tokens are of the first.
    """

    def __init__(self, body: Any, config: PromptLearningConfig) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # peft reads a property of transformers that is about to be renamed.
            warnings.simplefilter("ignore", FutureWarning)
            self.peft: Any = PeftModelForFeatureExtraction(body, config)
        self.tokens: int = config.num_virtual_tokens

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        **given: Any,
    ) -> Any:
        """The body's output; behind a prompt its states begin with those of the virtual tokens."""
        virtual = self.peft.get_prompt(len(input_ids))
        mask = functional.pad(attention_mask, (self.tokens, 0), value=1)
        if isinstance(virtual, Cache):
            given |= {"input_ids": input_ids, "past_key_values": virtual}
        else:
            texts = self.peft.word_embeddings(input_ids)
            given["inputs_embeds"] = torch.cat([virtual, texts], dim=1)
            if token_type_ids is not None:
                token_type_ids = functional.pad(token_type_ids, (self.tokens, 0))
        if token_type_ids is not None:
            given["token_type_ids"] = token_type_ids
        return self.peft.base_model(attention_mask=mask, **given)


def sample_tokens(body: Any, tokens: int) -> Tensor:
    """Ids (1, tokens) drawn from the vocabulary, each as likely as any."""
    table = body.get_input_embeddings()
    return torch.randint(table.num_embeddings, (1, tokens)).to(table.weight.device)
