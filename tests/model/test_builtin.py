"""The shipped checkpoint is in the official layout: `transformers` reads it, and our export of it, alike."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from saccade.model.engine import Engine
from saccade.model.hub import BUILTIN
from saccade.model.request import ThinkingReport
from saccade.model.rope import mrope_positions
from saccade.model.weights import load_model, save_model
from saccade.tools.actions import computer_use_schema

from .taps import added_taps

OURS_ALONE = ("mtp.", "model.visual.deepstack_merger_list.")  # `transformers` has no such parts in a hybrid


def reference(folder: Path) -> Any:
    from transformers import Qwen3_5MoeForConditionalGeneration

    loaded: Any = Qwen3_5MoeForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    model, report = loaded
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert all(name.startswith(OURS_ALONE) for name in report["unexpected_keys"])
    return model.eval()


@cache
def engine() -> Engine:
    return Engine.from_pretrained("builtin", dtype=torch.float32)


@pytest.fixture(scope="module", params=["as shipped", "exported"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "as shipped":
        return BUILTIN
    folder = tmp_path_factory.mktemp("export")
    save_model(load_model("builtin"), folder)
    return folder


def test_logits_equal_transformers(folder: Path):
    """A real prompt: a page, the task, and what was done before."""
    theirs, ours = reference(folder), engine()
    page = Image.effect_mandelbrot((160, 120), (-2, -1.5, 1, 1.5), 60)
    content = [
        {"type": "image", "image": page},
        {"type": "text", "text": "Task: open the cart\nDone:\n1. Look"},
    ]
    prompt = ours.encode([{"role": "user", "content": content}], [], True)
    pixels, grid = ours.processor(prompt.images)
    ids, config = torch.from_numpy(prompt.ids)[None], ours.model.config
    visual = ours.model.visual_mask(ids)
    mask = torch.ones_like(ids)
    with torch.no_grad(), added_taps(theirs, ours.model.visual, pixels, grid, visual):
        expected = theirs(
            input_ids=ids, attention_mask=mask, mm_token_type_ids=visual[..., 0].int(), pixel_values=pixels,
            image_grid_thw=grid, use_cache=False,
        ).logits  # fmt: skip
    rows, _ = mrope_positions(ids[0], (config.image_token_id,), grid, config.vision.spatial_merge_size)
    with torch.no_grad():
        features = ours.model.encode_images(pixels, grid)
        logits = ours.model.logits(ours.model(ids, rows[:, None], features=features))
    assert int(visual.sum()) > 50
    assert expected.abs().max() > 1
    assert (logits - expected).abs().max() < 1e-4 * max(1, expected.abs().max().item() / 10)


def test_the_export_holds_what_was_shipped(tmp_path: Path):
    shipped = load_model("builtin")
    save_model(shipped, tmp_path)
    again = load_model(tmp_path)
    assert again.config == shipped.config
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    for (name, a), b in zip(shipped.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_the_prediction_head_drafts():
    """Of a plain reply it knows the token after the next far more often than any fixed guess would."""
    model, chat = engine().model, engine().chat
    reply = (
        "Click the cart\n</think>\n\n<tool_call>\n<function=computer_use>\n<parameter=action>\nleft_click\n"
        "</parameter>\n<parameter=coordinate>\n[512, 300]\n</parameter>\n</function>\n</tool_call>"
    )
    prompt = engine().encode([{"role": "user", "content": "Task: open the cart"}], [], True)
    written = chat.encode_text(reply)
    ids = torch.tensor([[*prompt.ids.tolist(), *written]])
    rows = torch.arange(ids.shape[1]).expand(3, 1, -1)
    assert model.mtp is not None
    with torch.no_grad():
        hidden, following = model(ids, rows), model.language_model.embed_tokens(ids[:, 1:])
        drafted = model.logits(model.mtp(following, hidden[:, :-1], rows[..., 1:], [None])).argmax(-1)
    right = int((drafted[0, -len(written) : -1] == ids[0, 1 - len(written) :]).sum())
    commonest = max(written.count(token) for token in written)
    assert right > 2 * commonest


@pytest.mark.parametrize("tools", [[computer_use_schema()], []])
def test_fast_is_spelled_as_in_training(tools: list[dict]):
    """There the blank line after a thought is the head of the call's token: no prompt may end with it."""
    ours, talk = engine(), [{"role": "user", "content": "Task: open the cart"}]
    generation = ours.generate(talk, tools, thinking="fast", max_tokens=40)
    ids, texts = zip(*((piece.token, piece.text) for piece in generation), strict=True)
    assert generation.reply
    deep = ours.encode(talk, tools, thinking=True)
    assert generation.reply.usage.prompt_tokens == len(deep.ids)
    written = "".join(texts)
    assert written.startswith("\n</think>")
    assert generation.reply.thought == ""
    assert generation.reply.thinking == ThinkingReport("fast")
    if tools:
        opening = [
            *ours.chat.encode_text("\n</think>\n\n<tool_call>\n<function=computer_use>\n<parameter=action>\n")
        ]
        assert list(ids[: len(opening)]) == opening
        assert len(opening) == 3
        assert generation.reply.calls
