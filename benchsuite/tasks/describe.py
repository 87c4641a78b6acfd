"""Tasks as people read them: the list, and one task with its examples as a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchsuite.errors import DataUnavailable
from benchsuite.regimes.scores import ways
from benchsuite.regimes.zeroshot_methods import build_requests, content_free_requests
from benchsuite.scoring.types import Request
from benchsuite.tasks.example import Example
from benchsuite.tasks.kinds import SCORES
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.spec import CANONICAL_FIELDS, Prompt, TaskSpec
from benchsuite.tasks.task import Task, official_rows

# A tagging prompt makes a request for each candidate span: this many are shown.
REQUESTS_SHOWN = 2
# Characters of a long text that the terminal shows; the plain data hold all of it.
SHOWN = 600


def listing(registry: Registry) -> list[dict[str, Any]]:
    """A row a task: id, kind, metrics, scored splits, official examples, suites, description."""
    suites = {name: registry.suite(name).tasks for name in registry.suites()}
    rows = []
    for task_id in registry.ids():
        spec = registry.get(task_id)
        scored = [official_rows(spec.dataset, split) for split in spec.dataset.eval_splits]
        rows.append(
            {
                "task": task_id,
                "kind": spec.kind,
                "metrics": ", ".join(spec.metrics),
                "scored on": ", ".join(spec.dataset.eval_splits),
                "examples": None if None in scored else sum(rows or 0 for rows in scored),
                "suites": ", ".join(name for name, tasks in suites.items() if task_id in tasks),
                "description": spec.description,
            }
        )
    return rows


def describe(registry: Registry, task_id: str, count: int = 2) -> dict[str, Any]:
    """One task as plain data: its prompts, and `count` examples with the requests they make.

    Of each prompt its score and norm as they are, also where the file leaves them out. What only
    `pmi` and `calibrated` ask is there wherever a prompt can have them: `after_premise` of an
    example, and `content_free`, which is the same for all examples.
    The examples are spread evenly over the first scored split. Nothing is downloaded: where the
    data are not here, `examples` is empty and `unavailable` says how to get them.
    Raises InputError for an unknown task or broken data.
    """
    spec = registry.get(task_id)
    dataset = spec.dataset
    data: dict[str, Any] = {
        "task": task_id,
        "version": spec.version,
        "kind": spec.kind,
        "description": spec.description,
        "citation": spec.citation,
        "licence": spec.licence,
        "dataset": dataset.path or ", ".join(dataset.files.values()),
        "configs": list(dataset.configs),
        "revision": dataset.revision_label if dataset.path else None,
        "scored_on": list(dataset.eval_splits),
        "train": dataset.train_from or dataset.train_split,
        "rows": dict(dataset.rows),
        "fields": dict(spec.fields),
        "labels": list(spec.labels),
        "cluster": spec.cluster,
        "metrics": list(spec.metrics),
        "truncation": spec.truncation.model_dump() if spec.truncation else None,
        "prompts": [_show_prompt(spec, prompt) for prompt in spec.prompts],
        "examples": [],
        "unavailable": None,
    }
    if count < 1:
        return data
    try:
        found = Task(spec, offline=True).evaluation(dataset.eval_splits[0]).examples
    except DataUnavailable as error:
        data["unavailable"] = str(error)
        return data
    count = min(count, len(found))
    data["examples"] = [
        _show_example(spec, found[place * len(found) // count]) for place in range(count)
    ]
    return data


def _show_prompt(spec: TaskSpec, prompt: Prompt) -> dict[str, Any]:
    """A prompt, how its answers are compared, and its content-free requests."""
    own = ways(prompt, ("likelihood",))[0]
    can_calibrate = "calibrated" in SCORES[prompt.method]
    free = content_free_requests(prompt, spec) if can_calibrate else []
    return {
        **prompt.model_dump(exclude_defaults=True),
        "score": own.score,
        "norm": own.norm,
        "premise": prompt.premise,
        "why": prompt.why,
        "content_free": _plain(free),
    }


def _plain(requests: Sequence[Request]) -> list[dict[str, Any]]:
    return [{"context": one.context, "continuations": list(one.continuations)} for one in requests]


def _show_requests(spec: TaskSpec, prompt: Prompt, example: Example) -> dict[str, Any]:
    """What a prompt asks of an example, and what after the premise where it has one."""
    requests = build_requests(prompt, values_of(spec, example))[:REQUESTS_SHOWN]
    premise = prompt.premise
    after = [Request(premise, one.continuations) for one in requests] if premise is not None else []
    return {
        "prompt": prompt.name,
        "requests": _plain(requests),
        "after_premise": _plain(after),
    }


def _show_example(spec: TaskSpec, example: Example) -> dict[str, Any]:
    """An example, its answer in words, and its requests under every prompt."""
    return {
        "id": example.id,
        "split": example.split,
        "subset": example.subset,
        "fields": example.fields,
        "answer": _answer(spec, example),
        "prompts": [_show_requests(spec, prompt, example) for prompt in spec.prompts],
    }


def _answer(spec: TaskSpec, example: Example) -> Any:
    """The target in the task's own words; None where there is none to score."""
    if example.target is None or CANONICAL_FIELDS[spec.kind][2] is None:
        return None
    if spec.kind == "classification":
        return spec.labels[example.target]
    if spec.kind == "choice":
        return example.fields["options"][example.target]
    if spec.kind == "tagging":
        return [spec.labels[tag] for tag in example.target]
    return list(example.target) if spec.kind == "span" else example.target


def render(data: dict[str, Any], console: Console) -> None:
    """Print what `describe` gave."""
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(data):
        facts.add_row(key, Text(value))
    console.print(Text(f"{data['task']} (version {data['version']})", style="bold"))
    console.print(Text(data["description"]))
    console.print(facts)
    for prompt in data["prompts"]:
        _render_prompt(prompt, console)
    if data["unavailable"]:
        console.print(Text(f"\nno examples: {data['unavailable']}"))
    for example in data["examples"]:
        console.print(Text(f"\nexample {_place(example)}", style="bold"))
        for name, value in example["fields"].items():
            console.print(_line(name, value))
        console.print(_line("answer", example["answer"]))
        for prompt, rule in zip(example["prompts"], data["prompts"], strict=True):
            console.print(Text(f"prompt {prompt['prompt']}", style="bold"))
            for request in prompt["requests"]:
                console.print(_request(request))
            for request in prompt["after_premise"]:
                console.print(_line(_asked_for("after the premise", "pmi", rule), ""))
                console.print(_request(request))


def _render_prompt(prompt: dict[str, Any], console: Console) -> None:
    """How a prompt asks and compares, and its requests without an example."""
    console.print(Text(f"\nprompt {prompt['name']}", style="bold"))
    for key in ("method", "score", "norm", "premise", "why"):
        if prompt[key]:
            # In quotation marks, since spaces matter.
            console.print(_line(key, f"{prompt[key]!r}" if key == "premise" else prompt[key]))
    for request in prompt["content_free"]:
        console.print(_line(_asked_for("content-free", "calibrated", prompt), ""))
        console.print(_request(request))


def _asked_for(name: str, score: str, prompt: dict[str, Any]) -> str:
    """The name of requests that a score makes, and what else makes them where it is not the own."""
    return name if prompt["score"] == score else f"{name} (with --score all)"


def _facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    rows = ", ".join(f"{split} {_rows(count)}" for split, count in data["rows"].items())
    configs = data["configs"]
    config = f"{len(configs)} configs" if len(configs) > 3 else ", ".join(configs)
    facts = [
        ("kind", data["kind"]),
        ("data", f"{data['dataset']} {config}".strip()),
        ("revision", data["revision"]),
        ("official rows", rows),
        ("scored on", ", ".join(data["scored_on"])),
        ("trained on", data["train"]),
        ("labels", ", ".join(data["labels"])),
        ("clusters", data["cluster"]),
        ("metrics", ", ".join(data["metrics"])),
        ("licence", data["licence"]),
        ("source", data["citation"]),
    ]
    return [(key, value) for key, value in facts if value]


def _rows(count: int | dict[str, int]) -> str:
    return str(sum(count.values()) if isinstance(count, dict) else count)


def _place(example: dict[str, Any]) -> str:
    return "/".join(part for part in (example["subset"], example["split"], example["id"]) if part)


def _line(name: str, value: Any) -> Padding:
    text = value if isinstance(value, str) else repr(value)
    line = Text(f"{name}: ", style="dim")
    return Padding(line.append(_short(text), style="default"), (0, 0, 0, 2))


def _request(request: dict[str, Any]) -> Padding:
    """A context as it stands, and each continuation in quotation marks: spaces matter."""
    lines = [Text(_short(request["context"]))] if request["context"] else []
    lines += [Text(f"  + {text!r}", style="green") for text in request["continuations"]]
    return Padding(Group(*lines), (0, 0, 0, 2))


def _short(text: str) -> str:
    """A long text without its middle."""
    if len(text) <= SHOWN:
        return text
    return f"{text[: SHOWN // 2]} [...] {text[-SHOWN // 2 :]}"
