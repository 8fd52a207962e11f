"""The Chat tab: words and pictures with the model, its thought apart from its answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from ..agent.memory import image_part, text_part, user
from ..agent.thinking import Budget
from ..errors import SaccadeError
from .desk import BUILTIN, Desk, model_name
from .listening import as_engine, bounded, written
from .theme import HIDDEN

MODES = [("Fast", "fast"), ("Auto", "auto"), ("Deep", "deep")]
MOST_TOKENS, THOUGHT_TOKENS = 1024, 2048
EMPTY = "Ask the model anything; pictures may come along. The model is the one chosen under Run."
ACTS = (
    "<p class='hint'>The built-in model is trained to act on pages, not to talk: what it answers here is "
    "mostly an action. Choose another model under Run for a conversation.</p>"
)
PACE_S = 0.1


def chat_tab(desk: Desk, model: list[Any]) -> None:
    chat = gr.Chatbot(
        label="Chat",
        elem_id="chat",
        placeholder=EMPTY,
        height="58vh",
        sanitize_html=True,
        render_markdown=False,
        buttons=["copy"],
    )
    box = gr.MultimodalTextbox(
        label="Message",
        show_label=False,
        placeholder="Message",
        file_types=["image"],
        file_count="multiple",
        elem_id="message",
        lines=1,
    )
    with gr.Row():
        thinking = gr.Radio(MODES, value="auto", label="Thinking", elem_id="chat-thinking", scale=3)
        stop = gr.Button("Stop", elem_id="chat-stop", min_width=80)
        clear = gr.Button("New chat", elem_id="chat-clear", min_width=80)
    note = gr.HTML(ACTS, visible=desk.defaults.model == BUILTIN, elem_id="chat-note")
    model[0].change(lambda kind: gr.update(visible=kind == BUILTIN), model[0], note, queue=False, **HIDDEN)
    told = gr.State([])  # the conversation as the model gets it

    async def reply(
        sent: dict, shown: list[dict], messages: list[dict], mode: str, kind: str, which: str
    ) -> AsyncIterator[list[Any]]:
        text, files = (sent.get("text") or "").strip(), sent.get("files") or []
        if not text and not files:
            yield [gr.skip()] * 3
            return
        shown = [*(shown or []), *({"role": "user", "content": {"path": path}} for path in files)]
        shown += [{"role": "user", "content": text}] if text else []
        yield [{"text": "", "files": []}, [*shown, {"role": "assistant", "content": "…"}], gr.skip()]
        try:
            parts = [image_part(await asyncio.to_thread(picture, path)) for path in files]
            asked = [*messages, user(*parts, text_part(text))]
            chosen = await asyncio.to_thread(desk.registry.load, model_name(kind, which))
            thought = answer = ""
            shown_at = 0.0
            async for thought, answer in said(desk, chosen, asked, mode):
                if time.monotonic() - shown_at > PACE_S:  # words come faster than a page is drawn
                    yield [gr.skip(), [*shown, *turns(thought, answer)], gr.skip()]
                    shown_at = time.monotonic()
            turn = {"role": "assistant", "content": answer, "reasoning_content": thought}
            yield [gr.skip(), [*shown, *turns(thought, answer, True)], [*asked, turn]]
        except SaccadeError as error:
            yield [
                gr.skip(),
                [*shown, {"role": "assistant", "content": f"This did not work: {error}"}],
                gr.skip(),
            ]

    going = box.submit(
        reply, [box, chat, told, thinking, *model], [box, chat, told], concurrency_limit=4, **HIDDEN
    )
    stop.click(None, cancels=[going], **HIDDEN)
    clear.click(lambda: ([], []), None, [chat, told], cancels=[going], **HIDDEN)


async def said(desk: Desk, model: Any, messages: list[dict], mode: Any) -> AsyncIterator[tuple[str, str]]:
    """Thought and answer as far as they are written; a remote model's come at once."""
    engine = as_engine(model)
    if engine is None:
        reply = await desk.registry.call(model.reply(messages, [], mode))
        yield reply.thought, reply.text
        return
    limit = bounded(engine, Budget(mode, THOUGHT_TOKENS))
    generation = engine.generate(messages, [], thinking=limit, max_tokens=MOST_TOKENS)
    async for words in written(generation):  # a call counts as words here: nobody offered tools
        yield words


def turns(thought: str, answer: str, done: bool = False) -> list[dict[str, Any]]:
    status = "done" if answer or done else "pending"
    found: list[dict[str, Any]] = []
    if thought:
        found.append(
            {"role": "assistant", "content": thought, "metadata": {"title": "Thought", "status": status}}
        )
    if answer or not thought:
        found.append({"role": "assistant", "content": answer or "…"})
    return found


def picture(path: str) -> Any:
    from ..vision.images import load_image

    return load_image(Path(path))
