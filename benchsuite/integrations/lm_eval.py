"""lm-eval's model `benchsuite`: the scoring engines of all three families behind its interface.

Importing this module registers the model, so that `simple_evaluate(model="benchsuite",
model_args="pretrained=gpt")` works. `docs/lm-eval.md` says what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import simple_parse_args_string
from tqdm import tqdm

from benchsuite.errors import InputError
from benchsuite.models.registry import Model, load_model
from benchsuite.scoring import Request, make_scorer
from benchsuite.scoring.paths import resolve_path
from benchsuite.scoring.sentinels import find_sentinels, speaks_in_spans
from benchsuite.scoring.version import SCORER_VERSION

NAME = "benchsuite"
CONTEXTS_AT_ONCE = 1024
"""Contexts handed to the engine together; between two lots progress shows and answers are kept."""

# What a task may ask of generation and greedy search honours or does without.
GENERATION_KEYS = {"until", "max_gen_toks", "do_sample", "temperature", "top_p", "top_k"}

Answer = tuple[float, bool]
Place = tuple[str, str]
"""A scoring path and a context."""


@register_model(NAME)
class BenchsuiteLM(LM):
    """A model of this project as lm-eval sees one.

    pretrained: a model's name as on the command line (`gpt`, `./path`, `hf:<id>@<revision>`), or
    a loaded model. dtype: float32 or bfloat16. device: cpu or cuda; cuda:0, which is what lm-eval's
    command line says by itself, is the CPU where there is no such device. batch_tokens: tokens of
    a batch, padding counted; lm-eval's batch sizes count sequences and are not used. max_length: a
    window smaller than the model's own. path: one of the family's scoring paths, for every
    request; else what `path_of_context` and `path_of_text` say.
    """

    def __init__(
        self,
        pretrained: str | Model = "gpt",
        dtype: str = "float32",
        device: str = "cpu",
        batch_tokens: int = 8192,
        max_length: int | None = None,
        path: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        if unknown:
            raise InputError(
                f"model '{NAME}' has no argument '{next(iter(unknown))}'; it takes pretrained, "
                "dtype, device, batch_tokens, max_length and path"
            )
        _check_number("batch_tokens", batch_tokens, 1)
        if max_length is not None:
            _check_number("max_length", max_length, 2)
        if isinstance(pretrained, Model):
            self.model = pretrained
        else:
            if device == "cuda:0":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            if device not in ("cpu", "cuda"):
                raise InputError(f"model '{NAME}': device '{device}': choose cpu or cuda")
            self.model = load_model(str(pretrained), dtype, device, max_length)
        self.path = None if path is None else resolve_path(self.model.family, path)
        self.batch_tokens = batch_tokens
        self.scorer = make_scorer(self.model, self.batch_tokens)
        self.tokenizer = self.model.tokenizer
        self.max_length = self.model.max_length
        self.eot_token_id = self.tokenizer.eos_token_id
        self.progress: Callable[[int], None] | None = None
        self.paths_used: set[str] = set()
        self._device = self.model.device

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> BenchsuiteLM:
        """From `key=value,key=value`; what lm-eval adds by itself does not override it."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> BenchsuiteLM:
        """From a dictionary; what lm-eval adds by itself (a device) does not override it."""
        added = additional_config or {}
        given = {key: value for key, value in added.items() if value is not None}
        return cls(**{**given, **arg_dict})

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Answer]:
        """(log-likelihood in nats, whether greedy decoding gives it) of each (context, text).

        Continuations of the same context go to the engine as one request. White space that ends a
        context counts as the beginning of the continuation, which is lm-eval's rule.
        """
        pairs = [_at_text(*request.args) for request in requests]
        # Mutual information is the difference of a score after a context and one after nothing.
        documents: dict[bool, set[tuple[str, int]]] = {True: set(), False: set()}
        for request, (context, _) in zip(requests, pairs, strict=True):
            if request.task_name is not None and request.doc_id is not None:
                documents[context == ""].add((request.task_name, request.doc_id))
        comparing = {task for task, _ in documents[True] & documents[False]}
        asked: dict[Place, dict[str, list[int]]] = {}
        for number, (context, continuation) in enumerate(pairs):
            whole = context == "" and requests[number].task_name not in comparing
            place = (self.path_of_text() if whole else self.path_of_context(), context)
            asked.setdefault(place, {}).setdefault(continuation, []).append(number)
        answers: list[Answer] = [(0.0, False)] * len(requests)
        with self._bar(len(requests), "loglikelihood", disable_tqdm) as advance:
            for places in _lots(list(asked), CONTEXTS_AT_ONCE):
                done = 0
                for place, continuation, answer in self._score(places, asked):
                    for number in asked[place][continuation]:
                        answers[number] = answer
                        done += 1
                        self.cache_hook.add_partial("loglikelihood", requests[number].args, answer)
                advance(done)
        return answers

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-likelihood (nats) of each whole text, in windows as lm-eval rolls them.

        Raises InputError for a family that is no decoder.
        """
        if self.model.family != "decoder":
            raise InputError(
                f"{self.model.name} is an {self.model.family}: it has no left-to-right likelihood "
                "of a text, which rolling log-likelihoods (perplexities) need; use a decoder"
            )
        from benchsuite.integrations.rolling import rolling_log_likelihoods

        found: list[float] = []
        with self._bar(len(requests), "loglikelihood_rolling", disable_tqdm) as advance:
            for lot in _lots(requests, CONTEXTS_AT_ONCE):
                texts = [one.args[0] for one in lot]
                values = rolling_log_likelihoods(
                    self.model, texts, self.batch_tokens, self.scorer.usage
                )
                for one, value in zip(lot, values, strict=True):
                    self.cache_hook.add_partial("loglikelihood_rolling", one.args, value)
                found += values
                advance(len(lot))
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy continuations, each cut before the first of its `until` strings.

        Raises InputError for an encoder, and for anything but greedy search.
        """
        if self.model.family == "encoder":
            raise InputError(
                f"{self.model.name} is an encoder and generates no text; "
                "use a decoder or an encoder-decoder"
            )
        by_settings: dict[tuple[tuple[str, ...], int], list[int]] = {}
        for number, request in enumerate(requests):
            by_settings.setdefault(_greedy_settings(request.args[1]), []).append(number)
        texts = [""] * len(requests)
        with self._bar(len(requests), "generate_until", disable_tqdm) as advance:
            for (until, max_new_tokens), numbers in by_settings.items():
                for lot in _lots(numbers, CONTEXTS_AT_ONCE):
                    contexts = [requests[number].args[0] for number in lot]
                    found = self.scorer.generate(contexts, list(until), max_new_tokens)
                    for number, text in zip(lot, found, strict=True):
                        texts[number] = text
                        self.cache_hook.add_partial("generate_until", requests[number].args, text)
                    advance(len(lot))
        return texts

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Refused: the engines put what begins a text before it, and so does a template."""
        raise InputError(f"model '{NAME}' has no chat templates; leave --apply_chat_template out")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """None; refused where a template is asked for."""
        return self.apply_chat_template([]) if chat_template else None

    @property
    def tokenizer_name(self) -> str:
        """Name and hash of the tokenizer: what lm-eval keeps prepared requests by."""
        return f"{self.model.name}-{self.model.ref.tokenizer_hash[:8]}".replace("/", "__")

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval writes of the model beside its results."""
        return {
            "model_num_parameters": self.model.parameters_total,
            "model_dtype": self.model.dtype,
            "model_revision": self.model.ref.revision,
            "model_sha": self.model.ref.weights_hash,
            "model_family": self.model.family,
            "scoring_path": self.path_of_context(),
            "scorer_version": SCORER_VERSION,
        }

    def path_of_context(self) -> str:
        """The scoring path of continuations of a context: the family's first by itself."""
        return resolve_path(self.model.family, self.path)

    def path_of_text(self) -> str:
        """The scoring path of whole texts, which come as continuations of nothing.

        With all of it masked an encoder would have nothing to go by, and an encoder-decoder that
        knows spans has read no empty text.
        """
        family = self.model.family
        if self.path is None and family == "encoder":
            return "pll_within_word"
        if self.path is None and family == "encoder-decoder" and find_sentinels(self.tokenizer):
            return "span"
        return self.path_of_context()

    def _ends(self, path: str) -> int:
        """How many of a plain target's tokens end it: lm-eval's log-likelihoods leave them out."""
        plain = self.model.family == "encoder-decoder" and path == "sum"
        if not plain or speaks_in_spans(self.model):
            return 0
        return len(cast(Any, self.scorer).sides.after)

    def _score(
        self, places: list[Place], asked: dict[Place, dict[str, list[int]]]
    ) -> Iterator[tuple[Place, str, Answer]]:
        """(place, continuation, answer) of all continuations of some places."""
        by_path: dict[str, list[str]] = {}
        for path, context in places:
            by_path.setdefault(path, []).append(context)
        self.paths_used |= set(by_path)
        for path, contexts in by_path.items():
            ends = self._ends(path)
            lot = [Request(context, tuple(asked[path, context])) for context in contexts]
            for request, score in zip(lot, self.scorer.score(lot, path, details=True), strict=True):
                for continuation, values, greedy in zip(
                    request.continuations, score.tokens, score.greedy, strict=True
                ):
                    total = sum(values[: len(values) - ends])
                    yield (path, request.context), continuation, (total, greedy)

    def _bar(self, total: int, what: str, disabled: bool) -> _Bar:
        return _Bar(total, what, disabled, self.progress)


class _Bar:
    """Tells whoever listens how many requests are done; a bar where nobody does."""

    def __init__(
        self, total: int, what: str, disabled: bool, progress: Callable[[int], None] | None
    ) -> None:
        self._progress = progress
        self._bar = tqdm(total=total, desc=what, disable=disabled or progress is not None)

    def __enter__(self) -> Callable[[int], None]:
        return self._progress or self._bar.update

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def _check_number(name: str, value: object, least: int) -> None:
    """Raise InputError for what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"model '{NAME}': {name}={value}: give a whole number of at least {least}")


def _at_text(context: str, continuation: str) -> tuple[str, str]:
    """The pair with white space that ends the context moved into the continuation."""
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation


def _greedy_settings(asked: dict[str, Any]) -> tuple[tuple[str, ...], int]:
    """(stop strings, most new tokens) of a task's generation arguments."""
    settings = normalize_gen_kwargs(asked)
    unknown = sorted(set(settings) - GENERATION_KEYS)
    if unknown or settings["do_sample"]:
        what = f"`{unknown[0]}`" if unknown else "sampling"
        raise InputError(f"model '{NAME}' generates greedily; it does not know {what}")
    until = settings.get("until") or []
    return tuple([until] if isinstance(until, str) else until), settings["max_gen_toks"]


def _lots(items: list[Any], size: int) -> Iterable[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
