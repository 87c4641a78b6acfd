"""Made tasks of lm-eval over local files, and lm-eval's own model to compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny import SENTENCES

CHOICE = """\
task: made_choice
dataset_path: json
dataset_kwargs:
  data_files: {{train: {folder}/train.jsonl, validation: {folder}/validation.jsonl}}
  cache_dir: {folder}/cache
output_type: multiple_choice
training_split: train
validation_split: validation
doc_to_text: "{{{{text}}}}\\nQuestion: Is it good or bad?\\nAnswer:"
doc_to_target: label
doc_to_choice: ["bad", "very good"]
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
  - {{metric: mcc, aggregation: matthews_corrcoef, higher_is_better: true}}
metadata: {{version: 1.5}}
"""

OTHERS = {
    # The document is an option of its own: contexts are empty, as in minimal pairs.
    "made_pairs": (
        'doc_to_text: ""\ndoc_to_target: 0\ndoc_to_choice: "{{[text, backwards]}}"\n'
        "output_type: multiple_choice\nnum_fewshot: 0\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
    ),
    "made_information": (
        'doc_to_text: "{{text}}\\nIt is"\ndoc_to_target: label\ndoc_to_choice: [bad, very good]\n'
        "output_type: multiple_choice\n"
        "metric_list: [{metric: acc_mutual_info}, {metric: acc}]\n"
    ),
    "made_word": (
        'doc_to_text: "{{text}} "\ndoc_to_target: word\noutput_type: loglikelihood\n'
        "metric_list:\n"
        "  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}\n"
        "  - {metric: acc, aggregation: mean, higher_is_better: true}\n"
    ),
    "made_rolling": (
        'doc_to_text: ""\ndoc_to_target: long\noutput_type: loglikelihood_rolling\n'
        "metric_list:\n"
        "  - {metric: word_perplexity}\n  - {metric: byte_perplexity}\n"
        "  - {metric: bits_per_byte}\n"
    ),
    "made_free": (
        'doc_to_text: "{{text}}"\ndoc_to_target: word\noutput_type: generate_until\n'
        "generation_kwargs: {until: [ha, '.'], max_gen_toks: 6}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    ),
}


def write_tasks(folder: Path, rows: int = 24) -> Path:
    """Write the made tasks and their data into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, first in (("train", 100), ("validation", 0)):
        documents = [_document(number) for number in range(first, first + rows)]
        lines = "".join(json.dumps(document) + "\n" for document in documents)
        (folder / f"{split}.jsonl").write_text(lines)
    choice = CHOICE.format(folder=folder)
    (folder / "choice.yaml").write_text(choice)
    head = choice[choice.index("dataset_path") : choice.index("output_type")]
    for name, rest in OTHERS.items():
        text = f"task: {name}\n{head}validation_split: validation\n{rest}metadata: {{version: 2}}\n"
        (folder / f"{name}.yaml").write_text(text)
    return folder


def _document(number: int) -> dict[str, Any]:
    text = f"{SENTENCES[number % 7]} {number}"
    return {
        "text": text,
        "backwards": " ".join(reversed(text.split())),
        "label": number % 3 % 2,
        "word": text.split()[number % 4],
        "long": " ".join(SENTENCES[(number + at) % 8] for at in range(1 + number % 5)),
    }


def harness_model(model: Any) -> Any:
    """lm-eval's own model over the same network and tokenizer."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=model.network,
        tokenizer=model.tokenizer,
        backend="causal" if model.family == "decoder" else "seq2seq",
        batch_size=4,
        device="cpu",
        max_length=model.max_length,
    )


def evaluate(lm: Any, folder: Path, task: str, **settings: Any) -> dict[str, Any]:
    """lm-eval's own evaluation of one of the tasks in a folder."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(
        model=lm, tasks=[task], task_manager=manager, bootstrap_iters=0, **settings
    )


def values(found: dict[str, Any], task: str) -> dict[str, float]:
    """Metric -> value of lm-eval's results."""
    return {
        key.partition(",")[0]: value
        for key, value in found["results"][task].items()
        if key.endswith(",none") and "_stderr" not in key
    }


def answers(found: dict[str, Any], task: str) -> list[Sequence[Any]]:
    """The model's answers, document after document."""
    return [response for one in found["samples"][task] for response in one["filtered_resps"]]
