"""Checkpoints: what is loaded and hashed, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchsuite.api import prepare
from benchsuite.errors import InputError
from benchsuite.models import registry
from benchsuite.models.registry import check_window, load_model, resolve_model
from benchsuite.scoring import Request, score
from tests.models.conftest import refused, unresolved
from tests.tiny import tiny_gpt2

REQUEST = Request("The answer is", (" yes", " no"))


@pytest.mark.parametrize("family", ["gpt2", "bert", "t5"])
def test_a_local_folder(family, request):
    folder = request.getfixturevalue(f"tiny_{family}_folder")
    model = load_model(str(folder))
    expected = {"gpt2": "decoder", "bert": "encoder", "t5": "encoder-decoder"}[family]
    assert model.family == model.ref.family == expected
    assert (model.path, model.name) == (folder, str(folder))
    assert not model.network.training
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}


def test_the_count_of_parameters_takes_tied_ones_once(tiny_gpt2_folder):
    """Embeddings 400 x 16 and 64 x 16, two blocks of 12 d^2 + 13 d, a norm of 2 d; no head."""
    blocks = 2 * (12 * 16**2 + 13 * 16)
    expected = 400 * 16 + 64 * 16 + blocks + 2 * 16
    assert load_model(str(tiny_gpt2_folder)).parameters_total == expected


def test_families_are_read_from_the_configuration(folder):
    for change, family in (
        ({"architectures": ["BertForMaskedLM"]}, "encoder"),
        ({"architectures": ["LlamaForCausalLM"]}, "decoder"),
        ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
         "encoder-decoder"),
        ({"architectures": ["RobertaModel"], "model_type": "roberta"}, "encoder"),
        ({"architectures": None, "model_type": "gpt2"}, "decoder"),
    ):  # fmt: skip
        (folder / "config.json").write_text(json.dumps({"is_encoder_decoder": False, **change}))
        assert resolve_model(str(folder)).family == family
    (folder / "config.json").write_text('{"architectures": ["ViTModel"], "model_type": "vit"}')
    refused(str(folder), "names no language-model architecture", "ViTModel")


def test_hashes_follow_contents(folder, tiny_gpt2_folder):
    original, copied = resolve_model(str(tiny_gpt2_folder)), resolve_model(str(folder))
    assert original.weights_hash == copied.weights_hash
    assert original.tokenizer_hash == copied.tokenizer_hash
    tiny_gpt2(folder, seed=1)
    retrained = resolve_model(str(folder))
    assert retrained.weights_hash != original.weights_hash
    assert retrained.tokenizer_hash == original.tokenizer_hash
    tiny_gpt2(folder, seed=1, vocab_size=390)
    assert resolve_model(str(folder)).tokenizer_hash != original.tokenizer_hash


def test_the_configuration_is_part_of_the_weights_hash(folder):
    """More heads over the same bytes compute something else; how a file was saved does not."""
    original = resolve_model(str(folder)).weights_hash
    scores = score(load_model(str(folder)), [REQUEST])
    file = folder / "config.json"
    config = json.loads(file.read_text())

    def rewritten(**changes) -> str:
        file.write_text(json.dumps({**config, **changes}))
        return resolve_model(str(folder)).weights_hash

    assert rewritten(n_head=4) != original
    assert score(load_model(str(folder)), [REQUEST]) != scores
    assert rewritten(activation_function="relu") != original
    saved = {"transformers_version": "4.0.0", "dtype": "bfloat16", "torch_dtype": "float16"}
    assert rewritten(**saved, _name_or_path="elsewhere", _commit_hash="abc") == original
    assert score(load_model(str(folder)), [REQUEST]) == scores
    file.write_text(json.dumps(dict(reversed(config.items()))))
    assert resolve_model(str(folder)).weights_hash == original


def test_shards_load_like_one_file(folder, tiny_gpt2_folder):
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-1.safetensors": names[:9], "model-2.safetensors": names[9:]}
    for file, chosen in parts.items():
        save_file({n: weights[n] for n in chosen}, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    where = {name: file for file, chosen in parts.items() for name in chosen}
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    sharded = resolve_model(str(folder)).weights_hash
    assert score(load_model(str(folder)), [REQUEST]) == score(
        load_model(str(tiny_gpt2_folder)), [REQUEST]
    )
    save_file({n: weights[n] + 1 for n in names[9:]}, folder / "model-2.safetensors")
    assert resolve_model(str(folder)).weights_hash != sharded
    second = folder / "model-2.safetensors"
    second.write_bytes(second.read_bytes()[:-1])
    unresolved(str(folder), "model-2.safetensors is cut off or damaged")
    second.unlink()
    refused(str(folder), "lacks the shard model-2.safetensors")
    index.write_text(json.dumps({"weight_map": {"x": "../../secret"}}))
    refused(str(folder), "lacks the shard")
    index.write_text("[]")
    refused(str(folder), "not a safetensors index")


def test_half_precision_files_are_computed_in_float32(folder):
    weights = load_file(folder / "model.safetensors")
    half = {name: tensor.half() for name, tensor in weights.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    model = load_model(str(folder))
    found = model.network.state_dict()
    for name, tensor in half.items():
        assert torch.equal(found[name], tensor.float())
    assert {p.dtype for p in load_model(str(folder), dtype="bfloat16").network.parameters()} == {
        torch.bfloat16
    }


def test_untrained_is_one_fixed_floor(folder, tiny_gpt2_folder):
    trained, one = load_model(str(folder)), load_model(f"{folder}:untrained")
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    (folder / "model.safetensors").unlink()  # not needed
    again = load_model(f"{folder}:untrained")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert score(one, [REQUEST]) == score(again, [REQUEST]) != score(trained, [REQUEST])
    assert one.ref.weights_hash == again.ref.weights_hash != trained.ref.weights_hash
    assert one.ref.weights_hash.startswith("untrained:")
    assert one.ref.tokenizer_hash == trained.ref.tokenizer_hash
    assert (one.ref.untrained, trained.ref.untrained) == (True, False)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "initializer_range": 0.1}))
    assert resolve_model(f"{folder}:untrained").weights_hash != one.ref.weights_hash


def test_broken_folders_are_refused_in_one_line(folder, capfd):
    name = str(folder)
    weights, config = folder / "model.safetensors", folder / "config.json"
    good, whole = weights.read_bytes(), config.read_text()

    for bad in (good[: len(good) // 2], good[:-1], good + b"x", good[:100], good[:4], b""):
        weights.write_bytes(bad)
        unresolved(name, f"{weights} is cut off or damaged", "copy or download it again")
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n")
    unresolved(name, f"{weights} is cut off or damaged")
    weights.rename(folder / "pytorch_model.bin")
    refused(name, "pickle checkpoint (pytorch_model.bin)", "convert it to safetensors")
    (folder / "pytorch_model.bin").unlink()
    refused(name, "has no model.safetensors")
    weights.write_bytes(good)

    save_file({"transformer.wte.weight": torch.zeros(400, 16)}, weights, metadata={"format": "pt"})
    refused(name, "lacks the weights")
    save_file({"transformer.wte.weight": torch.zeros(4, 4)}, weights, metadata={"format": "pt"})
    refused(name, "weights of another shape", "transformer.wte.weight")
    weights.write_bytes(good)

    config.write_text("{")
    refused(name, "not valid JSON")
    config.write_text("[]")
    refused(name, "not a JSON object")
    config.write_text('{"architectures": ["XForCausalLM"], "model_type": "unheard-of"}')
    refused(name, "cannot be loaded")
    config.unlink()
    refused(name, "no config.json")
    config.write_text(whole)

    (folder / "tokenizer.json").write_text("{")
    refused(name, "tokenizer cannot be read")
    (folder / "tokenizer.json").unlink()
    refused(name, "no tokenizer")
    assert capfd.readouterr().err == ""


def test_remote_code_is_not_run(folder):
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    config |= {"model_type": "evil", "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config))
    refused(str(folder), "cannot be loaded")


def test_settings_that_cannot_be_met(tiny_gpt2_folder):
    name = str(tiny_gpt2_folder)
    with pytest.raises(InputError, match="dtype 'float16': choose float32 or bfloat16"):
        load_model(name, dtype="float16")
    with pytest.raises(InputError, match="--max-length 65: the window .* is 64"):
        load_model(name, max_length=65)
    assert load_model(name, max_length=32).max_length == 32
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no CUDA device"):
            load_model(name, device="cuda")


def test_the_window_is_checked_before_anything_is_loaded(
    folder, tiny_bert_folder, tiny_t5_folder, monkeypatch
):
    """Against what the loaded networks say, which is 64 for both."""
    for name in (str(folder), f"{folder}:untrained", str(tiny_bert_folder)):
        ref, longest = resolve_model(name), load_model(name).max_length
        check_window(ref, longest)
        check_window(ref, None)
        with pytest.raises(InputError, match=f"--max-length {longest + 1}: .* is {longest} tokens"):
            check_window(ref, longest + 1)
    check_window(resolve_model(str(tiny_t5_folder)), 100_000)  # states none

    monkeypatch.setattr(registry, "load_model", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(InputError, match="--max-length 65: the window of .* is 64 tokens"):
        prepare(model=[str(tiny_t5_folder), str(folder)], max_length=65)


def test_an_encoder_decoder_has_no_absolute_positions(tiny_t5_folder, tmp_path):
    """T5 checkpoints of the hub state an `n_positions` that their networks do not use."""
    folder = Path(shutil.copytree(tiny_t5_folder, tmp_path / "t5"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_positions": 8}))
    check_window(resolve_model(str(folder)), 100)
    assert load_model(str(folder), max_length=100).max_length == 100
