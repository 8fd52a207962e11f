"""The Look tab: a picture or a film, a question, the place that the model points at, and how it sees it."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ..errors import SaccadeError
from . import sight
from .board import safe, trouble
from .desk import Desk, model_name
from .listening import as_engine
from .theme import HIDDEN

POINTS = "What it points at"
IDLE = "<div class='thought idle'><h3>The answer</h3><p>What the model says stands here.</p></div>"
NO_EXPERTS = "Tokens and experts can be shown of models that run on this machine."


def look_tab(desk: Desk, model: list[Any]) -> None:
    with gr.Row(elem_id="look"):
        with gr.Column(scale=4, min_width=280):
            file = gr.File(
                label="A picture or a video", file_types=["image", "video"], elem_id="media", height=150
            )
            text = gr.Textbox(
                label="Question", placeholder="Click the Search field", lines=2, elem_id="question"
            )
            ask = gr.Button("Ask", variant="primary", elem_id="ask-look")
            gr.HTML("<p class='hint'>The model is the one chosen under Run.</p>")
            said = gr.HTML(IDLE, elem_id="said")
        with gr.Column(scale=8, min_width=300):
            layer = gr.Radio([POINTS], value=POINTS, label="Show", elem_id="layer")
            picture = gr.Image(
                label="The picture",
                show_label=False,
                elem_id="sight",
                interactive=False,
                format="jpeg",
                buttons=["download", "fullscreen"],
                alt_text="The picture, with what the model points at or how it sees it",
            )
            experts = gr.Image(
                label="Expert load",
                show_label=False,
                elem_id="experts",
                visible=False,
                interactive=False,
                buttons=["download", "fullscreen"],
                alt_text="How many tokens each expert of each layer gets",
            )
    pictures = gr.State([])  # what there is to show, in the order of `layer`

    def loaded(path: str | None) -> list[Any]:
        if not path:
            return [None, [], gr.update(choices=[POINTS], value=POINTS), gr.update(visible=False), IDLE]
        try:
            image = sight.open_media(Path(path)).image
        except SaccadeError as error:
            return [
                None,
                [],
                gr.update(choices=[POINTS], value=POINTS),
                gr.update(visible=False),
                trouble(str(error)),
            ]
        return [image, [image], gr.update(choices=[POINTS], value=POINTS), gr.update(visible=False), IDLE]

    async def answer(path: str | None, asked: str, kind: str, which: str) -> AsyncIterator[dict]:
        if not path or not asked.strip():
            yield {said: trouble("give a picture or a video, and a question")}
            return
        yield {said: waiting("Looking"), ask: gr.update(interactive=False)}
        try:
            media = await asyncio.to_thread(sight.open_media, Path(path))
            chat = await asyncio.to_thread(desk.registry.load, model_name(kind, which))
            found = await desk.registry.call(sight.ask(chat, media, asked.strip()))
            shown = [found.picture]
            yield {said: card(found), picture: found.picture, pictures: shown}
            engine = as_engine(chat)
            if engine is None:
                yield {layer: gr.update(choices=[POINTS], value=POINTS, info=NO_EXPERTS)}
                return
            maps = await sight.apart(partial(sight.strengths, engine, media))
            shown += await asyncio.to_thread(lambda: [sight.overlay(media.image, it) for it in maps])
            yield {
                pictures: shown,
                layer: gr.update(choices=[POINTS, *sight.layer_names(engine)], value=POINTS, info=""),
            }
            if engine.model.config.text.num_experts and not media.film:
                plot = await sight.apart(partial(sight.expert_plot, engine, media, asked.strip()))
                yield {experts: gr.update(value=str(plot), visible=True)}
        except SaccadeError as error:
            yield {said: trouble(str(error))}
        finally:
            yield {ask: gr.update(interactive=True)}

    def choose(name: str, kept: list[Image.Image], path: str | None, kind: str, which: str) -> Any:
        if not kept:
            return None
        if name == POINTS or len(kept) == 1:
            return kept[0]
        engine = as_engine(desk.registry.load(model_name(kind, which)))
        return kept[1 + sight.layer_names(engine).index(name)] if engine else kept[0]

    file.change(loaded, file, [picture, pictures, layer, experts, said], **HIDDEN)
    gr.on(
        [ask.click, text.submit],
        answer,
        [file, text, *model],
        [said, ask, picture, pictures, layer, experts],
        concurrency_limit=4,
        **HIDDEN,
    )
    layer.input(choose, [layer, pictures, file, *model], picture, **HIDDEN)


def waiting(word: str) -> str:
    return f"<div class='thought' aria-live='polite'><h3>{word}</h3><p>&hellip;</p></div>"


def card(found: sight.Sighting) -> str:
    thought = f"<p>{safe(found.thought)}</p>" if found.thought else ""
    return (
        f"<div class='thought' aria-live='polite'><h3>Answer</h3>{thought}"
        f"<p class='action'>{safe(found.words)}</p>"
        f"<small>{found.seconds:.1f} s {safe(found.note)}</small></div>"
    )
