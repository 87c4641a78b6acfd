"""The hub as a source: what it is asked, and one clear reason when it has nothing to give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import DataUnavailable
from benchsuite.tasks import hub
from benchsuite.tasks.hub import hub_table
from tests.tasks.tables import TABLES, write_parquet

TABLE = TABLES["classification"]


def test_the_real_library_takes_the_call(tmp_path: Path) -> None:
    """`datasets.load_dataset` itself, on a repository with configs as the hub has them."""
    import datasets

    write_parquet(tmp_path / "owner/name/data/train.parquet", TABLE)
    (tmp_path / "owner/name/README.md").write_text(
        "---\nconfigs:\n- config_name: other\n  data_files: data/train.parquet\n"
        "- config_name: config\n  data_files:\n  - split: train\n    path: data/train.parquet\n"
        "---\n"
    )

    def from_folder(path: str, *rest: Any, **keys: Any) -> Any:
        cache = str(tmp_path / "cache")
        folder = str(tmp_path / path.removeprefix("hf://datasets/"))
        return datasets.load_dataset(folder, *rest, cache_dir=cache, **keys)

    table = hub_table("owner/name", "config", "train", None, load_dataset=from_folder)
    assert table.to_pydict() == TABLE
    for config, split in (("config", "test"), ("absent", "train")):
        with pytest.raises(DataUnavailable, match=f"name/{config}/{split} cannot be had"):
            hub_table("owner/name", config, split, None, load_dataset=from_folder)


def test_offline_leaves_the_hub_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise AssertionError("the hub was tried")

    monkeypatch.setattr(hub, "_load_dataset", fail)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(DataUnavailable, match="offline"):
        hub_table("owner/name", "config", "train", None, offline=True)


def test_the_offline_variables_leave_the_local_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library, which finds nothing in its cache and does not wait for a network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataUnavailable, match="[Oo]ffline"):
        hub_table("owner/absent", "config", "train", None, offline=True)


def test_an_unreachable_hub_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    def load_dataset(path: str, *rest: Any, **keys: Any) -> Any:
        attempts.append(path)
        raise ConnectionError("Couldn't reach it")

    monkeypatch.setattr(hub, "_load_dataset", lambda: load_dataset)
    monkeypatch.setattr(hub, "_unreachable", [])
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    for name in ("owner/one", "owner/two"):
        with pytest.raises(DataUnavailable, match="Couldn't reach it"):
            hub_table(name, "config", "train", None)
    assert attempts == ["hf://datasets/owner/one"]


def test_the_parquet_conversion_is_loaded_by_its_files() -> None:
    calls: list[tuple[str, dict[str, Any]]] = []

    def load_dataset(path: str, **keys: Any) -> Any:
        calls.append((path, keys))
        raise ValueError("seen enough")

    with pytest.raises(DataUnavailable, match="seen enough"):
        hub_table("o/n", "conf", "test", "refs/convert/parquet", load_dataset=load_dataset)
    pattern = "hf://datasets/o/n@refs/convert/parquet/conf/test/*.parquet"
    assert calls == [("parquet", {"data_files": {"test": pattern}, "split": "test"})]


def test_the_parquet_pattern_is_one_the_hub_library_reads() -> None:
    """Independent: the library's own parser of hf:// addresses."""
    from huggingface_hub import parse_hf_uri

    uri = parse_hf_uri("hf://datasets/o/n@refs/convert/parquet/conf/test/*.parquet")
    assert (uri.id, uri.revision) == ("o/n", "refs/convert/parquet")
    assert uri.path_in_repo == "conf/test/*.parquet"


def test_a_script_dataset_is_told_of_the_parquet_conversion() -> None:
    def load_dataset(*rest: Any, **keys: Any) -> Any:
        raise RuntimeError("Dataset scripts are no longer supported, but found n.py")

    with pytest.raises(DataUnavailable, match="revision: refs/convert/parquet"):
        hub_table("o/n", "conf", "test", None, load_dataset=load_dataset)


def test_a_folder_of_the_same_name_is_not_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror in the working directory has one; the real library would load it."""
    write_parquet(tmp_path / "owner/name/config/train.parquet", TABLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataUnavailable, match="[Oo]ffline"):
        hub_table("owner/name", "default", "train", None)


@pytest.mark.parametrize("revision", ["refs/convert/parquet", None])
def test_a_refused_connection_is_one_line(revision: str | None) -> None:
    """What each library raises when nothing listens, without its own retries."""
    from huggingface_hub.errors import HfHubHTTPError

    client_error = HfHubHTTPError.__bases__[0]

    def load_dataset(*rest: Any, **keys: Any) -> Any:
        raise client_error("[Errno 111] Connection refused\nand more")

    with pytest.raises(DataUnavailable) as caught:
        hub_table("o/n", "c", "s", revision, load_dataset=load_dataset)
    assert str(caught.value) == (
        "o/n/c/s cannot be had from the hub: [Errno 111] Connection refused"
    )
