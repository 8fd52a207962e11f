"""Whatever is wrong with the files or the pictures: one line that names the thing and says what to do.

From the outside, through the engine; each kind's details are tested beside the module that refuses it.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from saccade.errors import CheckpointError, ContextError, InputError, SaccadeError
from saccade.model.checkpoint import INDEX, SINGLE
from saccade.model.engine import Engine
from saccade.model.weights import save_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import tiny
from .conftest import Pair

NORM = "model.language_model.layers.2.input_layernorm.weight"
Break = Callable[[Path], object]


@pytest.fixture
def folder(hybrid: Pair, tmp_path: Path) -> Path:
    """A whole checkpoint in shards."""
    folder = Path(shutil.copytree(hybrid.folder, tmp_path / "checkpoint"))
    (folder / SINGLE).unlink()
    save_model(hybrid.ours, folder, 60_000)
    return folder


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def cut(folder: Path) -> None:
    data = shards(folder)[1].read_bytes()
    shards(folder)[1].write_bytes(data[: len(data) // 2])


def tensors(change: Callable[[dict[str, Tensor]], object]) -> Break:
    def edit(folder: Path) -> None:
        for shard in shards(folder):
            held = load_file(shard)
            if NORM in held:
                change(held)
                save_file(held, shard, metadata={"format": "pt"})

    return edit


CHECKPOINTS: dict[str, tuple[Break, tuple[str, str]]] = {
    "truncated shard": (cut, ("model-00002-of", "download")),
    "missing tensor": (tensors(lambda held: held.pop(NORM)), (NORM, "download")),
    "extra tensor": (
        tensors(lambda held: held.update({"model.extra": torch.ones(1)})),
        ("model.extra", "check that"),
    ),
    "wrong shape": (tensors(lambda held: held.update({NORM: torch.ones(47)})), (NORM, "check that")),
    "NaN weights": (tensors(lambda held: held[NORM].fill_(torch.nan)), (NORM, "download")),
    "wrong model_type": (
        lambda folder: tiny.edit_json(folder / "config.json", model_type="llama"),
        ("llama", "use one of"),
    ),
    "missing tokenizer": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        ("tokenizer.json", "download"),
    ),
    "missing config": (lambda folder: (folder / "config.json").unlink(), ("config.json", "name a folder")),
    "no weights": (
        lambda folder: [path.unlink() for path in (*shards(folder), folder / INDEX)],
        (SINGLE, "download"),
    ),
    "index naming a missing file": (
        lambda folder: shards(folder)[0].unlink(),
        ("model-00001-of", "download"),
    ),
    "missing processor": (
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        ("preprocessor_config.json", "download"),
    ),
}


@pytest.mark.parametrize(("change", "words"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints(folder: Path, change: Break, words: tuple[str, str]):
    assert Engine.from_pretrained(folder).name == "checkpoint"
    change(folder)
    with pytest.raises(CheckpointError) as error:
        Engine.from_pretrained(folder)
    assert_helpful(error.value, words)


def assert_helpful(error: SaccadeError, words: tuple[str, ...]) -> None:
    message = str(error)
    assert "\n" not in message
    assert all(word in message for word in words), message


def visual(kind: str, folder: Path) -> dict:
    """The message part that shows it."""
    match kind:
        case "image of 0 bytes":
            (folder / "empty.png").write_bytes(b"")
            return {"type": "image", "image": str(folder / "empty.png")}
        case "half an image":
            Image.effect_noise((200, 200), 50).save(folder / "half.png")
            data = (folder / "half.png").read_bytes()
            (folder / "half.png").write_bytes(data[: len(data) // 2])
            return {"type": "image", "image": folder / "half.png"}
        case "no such image":
            return {"type": "image", "image": "no/such.png"}
        case "1x10000 image":
            return {"type": "image", "image": Image.new("RGB", (1, 10000))}
        case "video of 0 bytes":
            (folder / "empty.mp4").write_bytes(b"")
            return {"type": "video", "video": str(folder / "empty.mp4")}
        case "video without frames":
            return {"type": "video", "video": []}
    raise AssertionError(kind)


VISUALS = {
    "image of 0 bytes": (InputError, ("empty.png", "save it as PNG")),
    "half an image": (InputError, ("cannot be decoded", "save it again")),
    "no such image": (InputError, ("no/such.png", "check the path")),
    "1x10000 image": (ContextError, ("1 x 10000 px", "crop it")),
    "video of 0 bytes": (InputError, ("empty.mp4", "save it as MP4")),
    "video without frames": (InputError, ("no frames", "give at least one")),
}


@pytest.mark.parametrize(("kind", "error", "words"), [(k, *v) for k, v in VISUALS.items()], ids=VISUALS)
def test_pictures_and_videos(hybrid: Pair, tmp_path: Path, kind: str, error: type, words: tuple[str, str]):
    """And the engine answers the next request as if nothing had been."""
    engine = Engine.from_pretrained(hybrid.folder)
    message = {"role": "user", "content": [visual(kind, tmp_path)]}
    with pytest.raises(error) as raised:
        engine.generate([message], max_tokens=1).finish()
    assert_helpful(raised.value, words)
    good = {"role": "user", "content": [{"type": "image", "image": Image.new("RGB", (20, 20))}]}
    assert engine.generate([good], max_tokens=1).finish().usage.prompt_tokens > 0


def test_more_image_tokens_than_images(folder: Path):
    """A template that shows each picture twice."""
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(
        template.replace("<|image_pad|>", "<|image_pad|><|image_pad|>")
    )
    message = {"role": "user", "content": [{"type": "image", "image": Image.new("RGB", (20, 20))}]}
    with pytest.raises(InputError) as error:
        Engine.from_pretrained(folder).generate([message], max_tokens=1).finish()
    assert_helpful(error.value, ("the chat template placed 2 of 1 pictures", "put pictures"))


@pytest.mark.parametrize("name", ["config.json", INDEX, "preprocessor_config.json", "generation_config.json"])
def test_a_file_that_is_no_json(folder: Path, name: str):
    assert json.loads((folder / name).read_text())
    (folder / name).write_text("{")
    with pytest.raises(CheckpointError) as error:
        Engine.from_pretrained(folder)
    assert_helpful(error.value, (name, "download"))
