"""Checkpoints from the Hugging Face hub or its local cache, never a pickle."""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import InputError
from benchsuite.models.checkpoint import TOKENIZER_FILES, WEIGHTS, WEIGHTS_INDEX

SMALL_FILES = ("config.json", "generation_config.json", WEIGHTS_INDEX, *TOKENIZER_FILES)


def fetch(hub_id: str, revision: str | None, name: str, weights: bool) -> tuple[Path, str]:
    """Folder of a hub model in the local cache, downloaded when needed, and its commit.

    weights: whether the safetensors are wanted too. Raises InputError in one line when the model
    or revision does not exist or the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = [*SMALL_FILES, *([WEIGHTS, "model-*.safetensors"] if weights else [])]
    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted))
    except HFValidationError:
        raise InputError(f"model '{name}': '{hub_id}' is not of the form owner/name") from None
    except LocalEntryNotFoundError:
        raise InputError(
            f"model '{name}': not in the local cache, and the hub cannot be reached; download it "
            f"where there is a network (`hf download {hub_id}`) and give its folder"
        ) from None
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "refused"
        raise InputError(f"model '{name}': the hub says: {reason}") from None
    except OSError as error:
        raise InputError(f"model '{name}': the hub cannot be reached ({error})") from None
    return folder, folder.name
