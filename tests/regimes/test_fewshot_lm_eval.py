"""Few-shot contexts and their scores against lm-eval's, from the same demonstrations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchsuite.models.registry import load_model
from benchsuite.regimes.demonstrations import draw, text_before
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring import make_scorer
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.task import load_task
from tests.tiny import tiny_gpt2

TASK = """\
task: made_sentiment
dataset_path: json
dataset_kwargs:
  data_files: {{train: {folder}/train.jsonl, validation: {folder}/validation.jsonl}}
  cache_dir: {folder}/cache
output_type: multiple_choice
training_split: train
validation_split: validation
doc_to_text: "{{{{text}}}} It was very"
doc_to_target: label
doc_to_choice: ["bad", "good"]
fewshot_config: {{sampler: first_n}}
"""


def test_contexts_and_scores_are_lm_eval_s(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager, get_task_dict

    task = load_task("mini/sentiment")
    prompt = task.spec.prompts[0]
    drawn = draw(task.spec, task.train().examples, 3, seed=0)
    examples = task.evaluation("validation").examples[::200]
    for split, used in (("train", [one.example for one in drawn]), ("validation", examples)):
        rows = [{"text": one.fields["text"], "label": one.target} for one in used]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "made.yaml").write_text(TASK.format(folder=tmp_path))

    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    theirs = get_task_dict(["made_sentiment"], manager)["made_sentiment"]
    theirs.set_config(key="num_fewshot", value=3)
    theirs.build_all_requests(rank=0, world_size=1)
    before = text_before(prompt, task.spec, drawn)
    ours = [build_requests(prompt, values_of(task.spec, one), before)[0] for one in examples]
    asked = [(one.context, continuation) for one in ours for continuation in one.continuations]
    assert asked == [instance.args for instance in theirs.instances]

    model = load_model(str(tiny_gpt2(tmp_path / "model", n_positions=512)))
    found = make_scorer(model).score(ours)
    peer = HFLM(pretrained=model.network, tokenizer=model.tokenizer, batch_size=1)
    expected = [value for value, _ in peer.loglikelihood(theirs.instances)]
    values = [value for score in found for value in score.log_likelihoods]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4)
