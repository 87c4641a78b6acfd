"""Measure one cell's cost, in a process of its own: `python -m benchsuite.measure FILE`.

FILE holds what to measure as JSON, and gets the result. Nothing else of the suite runs in this
process, so that its memory and its warmed-up caches are the cell's own.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchsuite.cells import Cell, RegimeCall, Value
from benchsuite.errors import BenchsuiteError, DataUnavailable, NotApplicable
from benchsuite.profiles import Inference, Training

EPOCHS = 3  # of a training that is timed: a cache that is filled in the first pays off later
ALONE = 32  # answers to one example at a time


def main(path: Path) -> None:
    """Measure what the file asks for and write the result into it."""
    asked = json.loads(path.read_text(encoding="utf-8"))
    try:
        result = measure(
            Cell(**asked["cell"]), [Path(p) for p in asked["tasks_dir"]], **asked["sizes"]
        )
    except BenchsuiteError as error:
        status = "failed"
        if isinstance(error, NotApplicable):
            status = "not_applicable"
        elif isinstance(error, DataUnavailable):
            status = "unavailable"
        result = {"status": status, "reason": str(error)}
    path.write_text(json.dumps(result), encoding="utf-8")


def measure(cell: Cell, tasks_dir: list[Path], examples: int, repeats: int) -> dict[str, Any]:
    """The measured part of a profile.

    examples: how many are trained on and predicted; repeats: of each timed thing, after one that
    is not timed. A tuned cell is profiled at its default rate, which costs what any rate costs.
    """
    import torch

    from benchsuite.models.registry import load_model
    from benchsuite.regimes.trained import TrainedRegime
    from benchsuite.tasks.task import load_task

    task: Any = Excerpt(load_task(cell.task, tasks_dirs=tuple(tasks_dir)), examples)
    regime: Any = task.regime(cell.regime.name)
    before = _memory(cell.device)
    model = load_model(cell.model, dtype=cell.dtype, device=cell.device, max_length=cell.max_length)
    reason = regime.reason_not_applicable(task, model.family)
    if reason is not None:
        raise NotApplicable(reason)
    trains = hasattr(regime, "load")
    if trains:
        cell = cell.model_copy(update={"regime": _briefly(regime, cell.regime)})
    split = (cell.splits or task.spec.dataset.eval_splits)[0]
    answered = task.evaluation(split, examples).examples[:examples]
    others = task.evaluation(split, examples + 1).examples
    aside = next((one for one in others if one not in answered), answered[-1])
    count = len(task.train().examples) if trains else 0
    parameters = model.parameters_total
    if isinstance(regime, TrainedRegime):
        # It trains a network of its own, and this one's weights are none of its memory.
        model.network.to("meta")

    def fit() -> Any:
        with tempfile.TemporaryDirectory() as scratch:
            return regime.fit(model, task if trains else task.whole, cell, Path(scratch))

    speeds = []
    predictor: Any = None
    for repeat in range(repeats + 1 if trains else 1):
        predictor = None  # what the last repeat trained is no part of this one's memory
        started = time.perf_counter()
        predictor = fit()
        seconds = time.perf_counter() - started
        if repeat:
            # Loading and copying the network is no part of training.
            seconds = getattr(predictor, "notes", {}).get("training_s", seconds)
            speeds.append(_epochs(regime, cell) * count / seconds)

    def answer(chosen: list[Any]) -> float:
        # An engine remembers what it scored last: asked the same again it would look it up.
        predictor.predict([aside])
        return _seconds(lambda: predictor.predict(chosen), cell.device)

    rates = [len(answered) / answer(answered) for _ in range(repeats + 1)]
    alone = [answer([one]) for one in islice(cycle(answered), ALONE)]
    peak = _memory(cell.device)
    state = predictor.state()
    stated = getattr(predictor, "parameters_trained", None)
    predictor.predict([aside])
    inference = Inference(
        examples=len(answered),
        examples_per_s=rates[1:],
        latency_s=alone,
        flops_per_example=_flops(lambda: predictor.predict(answered)) / len(answered),
    )
    training = None
    if trains:
        epochs = _epochs(regime, cell)
        training = Training(
            examples=count,
            epochs=epochs,
            examples_per_s=speeds,
            flops_per_example=_flops(fit) / (count * epochs),
        )
    return {
        "status": "done",
        "training": None if training is None else training.model_dump(),
        "inference": inference.model_dump(),
        "parameters_total": parameters,
        "parameters_trainable": (
            sum(tensor.numel() for tensor in state.values()) if stated is None else stated
        ),
        "artifact_bytes": _artifact_bytes(state),
        "memory_before_bytes": before,
        "memory_peak_bytes": peak,
        "threads": torch.get_num_threads(),
    }


class Excerpt:
    """A task of which a few examples are trained on, and no selection slice is scored."""

    def __init__(self, whole: Any, examples: int) -> None:
        self.whole = whole
        self._examples = examples

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def train(self, limit: int | None = None) -> Any:
        """The first examples of the capped training split."""
        del limit
        data = self.whole.train(self._examples)
        return replace(data, examples=data.examples[: self._examples])

    def selection(self) -> Any:
        """An empty slice."""
        return replace(self.whole.selection(), examples=[])


def _briefly(regime: Any, call: RegimeCall) -> RegimeCall:
    """The call with few epochs, the last of which is kept."""
    brief: dict[str, Value] = {"epochs": EPOCHS, "keep": "last"}
    known = {name: value for name, value in brief.items() if name in regime.options.model_fields}
    return RegimeCall(name=call.name, options={**call.options, **known})


def _epochs(regime: Any, cell: Cell) -> int:
    return EPOCHS if "epochs" in regime.options.model_fields else 1


def _seconds(work: Callable[[], object], device: str) -> float:
    """Seconds that some work takes, the accelerator's part included."""
    import torch

    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _memory(device: str) -> int:
    """Most bytes in use so far: of this process, or of the accelerator."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    # Linux: `ru_maxrss` would begin with what the process that started this one had in use.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products of some work.

    Attention is computed by its plain products meanwhile, for fused kernels are not counted.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def _artifact_bytes(state: dict[str, Any]) -> int:
    """Size of what `--keep-artifacts` would keep."""
    if not state:
        return 0
    from safetensors.torch import save

    return len(save(state))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
