"""Where a checkpoint lies: the built-in one, a local folder, or a hub id. Knows folders; reads no file.

Only configuration, tokenizer, template and safetensors files are fetched: never code, never pickles.
"""

import re
from pathlib import Path

from ..errors import CheckpointError

BUILTIN = Path(__file__).parent / "builtin"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def find_checkpoint(spec: str | Path, weights: bool = True) -> Path:
    """The local folder of "builtin", of a path, or of a hub id such as "Qwen/Qwen3.5-0.8B".

    A hub id is downloaded, or taken from the hub's cache; without `weights` only its small files are.
    Raises CheckpointError: no such folder, unknown id, no connection.
    """
    if str(spec) == "builtin":
        if not (BUILTIN / "config.json").is_file():
            raise CheckpointError(
                f"the built-in model is not in {BUILTIN}: install a release, or name another checkpoint"
            )
        return BUILTIN
    if str(spec) and Path(spec).is_dir():
        return Path(spec)
    if isinstance(spec, str) and HUB_ID.fullmatch(spec):
        return _download(spec, weights)
    raise CheckpointError(
        f"no checkpoint at {spec}: download a Qwen3.5 or Qwen3-VL checkpoint and name its folder, "
        'or give its hub id, or "builtin"'
    )


def _download(hub_id: str, weights: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(
            f"no folder {hub_id}, and as a hub id it needs huggingface_hub: pip install huggingface-hub"
        ) from None
    patterns = ["*.json", "*.jinja", *(["*.safetensors"] if weights else [])]
    try:
        return Path(snapshot_download(hub_id, allow_patterns=patterns))
    except Exception as error:  # the library has no common base for what can go wrong
        fact = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(
            f"no folder {hub_id}, and the hub cannot give it ({fact}): "
            "check the id and the connection, or name a downloaded folder"
        ) from None
