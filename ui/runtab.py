"""The Run tab: what is to be done, the page while it is done, and everything a person may do meanwhile."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import InputError, SaccadeError
from .board import trouble
from .desk import BUILTIN, KINDS, NOTHING, Defaults, Desk, Order, View, kind_of
from .theme import HIDDEN

EXAMPLES = (
    "Open the Help page",
    "Search for 'lamp'",
    "Add the Stoneware Mug to the cart and open the cart",
)
MODES = [("Fast", "fast"), ("Auto", "auto"), ("Deep", "deep")]
ASKS = [("Never", "never"), ("Risky ones", "risky"), ("Every one", "always")]
SHOW_PAGE = "() => innerWidth < 800 && document.getElementById('live').scrollIntoView({behavior: 'smooth'})"
FOCUS_PAGE = """() => {
  const page = document.querySelector('#live'), start = Date.now();
  const wait = setInterval(() => {
    const pane = page.querySelector('.hands') || page.closest('.hands');
    if (pane || Date.now() - start > 20000) clearInterval(wait);
    if (pane) pane.focus();
  }, 100);
}"""
HANDS = Path(__file__).with_name("hands.js")
NOW: dict[str, Any] = {**HIDDEN, "queue": False}
KEPT = ("url", "kind", "which", "thinking", "budget", "ask_before", "max_steps", "hosts")
FACTS = ("phase", "hands", "pausing")
KEYS = {"Enter": ["Enter"], "Tab": ["Tab"], "Erase": ["Backspace"], "Escape": ["Escape"]}


@dataclass(frozen=True)
class RunTab:
    """What other tabs need of this one."""

    model: list[Any]
    replay: gr.Button
    folder: gr.State
    come_back: Callable[[Any], Any]


def run_tab(desk: Desk, memory: gr.BrowserState, visitor: gr.State) -> RunTab:
    defaults = desk.defaults
    run_id, folder = gr.State(""), gr.State("")
    with gr.Row(elem_id="desk"):
        with gr.Column(scale=3, min_width=280, elem_id="order"):
            task = task_fields(placeholders(defaults))
            url = gr.Textbox(defaults.url, label="Address", placeholder="https://example.com", elem_id="url")
            run = gr.Button("Run", variant="primary", elem_id="run", interactive=False)
            more = more_fields(defaults)
        with gr.Column(scale=7, min_width=300):
            live = gr.HTML(
                NOTHING["live"],
                elem_id="live",
                js_on_load=HANDS.read_text("utf-8"),
                server_functions=[desk_act(desk)],
            )
            with gr.Row(elem_id="switches"):
                pause = gr.Button("Pause", elem_id="pause", min_width=80, interactive=False)
                take = gr.Button("Take over", elem_id="take", min_width=80, interactive=False)
                resume = gr.Button("Resume", elem_id="resume", min_width=80, visible=False, variant="primary")
                stop = gr.Button("Stop", elem_id="stop", min_width=80, interactive=False)
            notice = gr.HTML(visible=False, elem_id="notice")
            with gr.Row(visible=False, elem_id="approval", equal_height=True) as approval:
                why = gr.Textbox(label="A word to the agent", lines=1, scale=4, min_width=160, elem_id="why")
                yes = gr.Button("Approve", variant="primary", elem_id="approve", min_width=90)
                no = gr.Button("Refuse", elem_id="refuse", min_width=90)
            with gr.Row(visible=False, elem_id="asked", equal_height=True) as asked:
                said = gr.Textbox(label="Your answer", lines=1, scale=4, min_width=160, elem_id="answer")
                send = gr.Button("Answer", variant="primary", elem_id="send", min_width=90)
            with gr.Group(visible=False, elem_id="hands") as hands:
                typed = gr.Textbox(
                    label="Type into the page",
                    info="Or click the page and type there.",
                    lines=1,
                    elem_id="typed",
                )
                with gr.Row():
                    spell = gr.Button("Type", size="sm", min_width=60, elem_id="spell")
                    keys = [gr.Button(name, size="sm", min_width=60) for name in KEYS]
                    back = gr.Button("Page back", size="sm", min_width=60)
            word = gr.Textbox(
                label="Say something to the agent", lines=1, visible=False, elem_id="word",
                info="It hears this, and that you acted, when it goes on.",
            )  # fmt: skip
            verdict = gr.HTML(visible=False, elem_id="verdict")
            replay = gr.Button("Replay and export", visible=False, elem_id="replay")
        with gr.Column(scale=4, min_width=280):
            thought = gr.HTML(NOTHING["thought"], elem_id="thought")
            steps = gr.HTML(NOTHING["steps"], elem_id="steps", autoscroll=True)
    panes = {"live": live, "thought": thought, "steps": steps, "verdict": verdict, "notice": notice}
    switches = {
        "run": run, "pause": pause, "take": take, "resume": resume, "stop": stop, "approval": approval,
        "asked": asked, "hands": hands, "word": word, "replay": replay,
    }  # fmt: skip
    outputs = [*panes.values(), *switches.values(), folder]
    fields = [task, url, *more]

    def shown(changes: View, now: View) -> dict[Any, Any]:
        """What changed, for the parts that show it."""
        values: dict[Any, Any] = {panes[name]: pane(name, changes[name]) for name in panes.keys() & changes}
        if changes.keys() & {*FACTS, "folder"}:
            values |= {switches[name]: update for name, update in switched(now).items()}
            values[folder] = now["folder"]
        return values

    async def follow(id: str, token: str) -> AsyncIterator[dict]:
        live_run, before = desk.owned(id, token), NOTHING
        if live_run is None:
            yield {folder: ""}  # a stream that yields nothing would empty its outputs
            return
        async for now in desk.watch(live_run):
            changes = {name: value for name, value in now.items() if before.get(name) != value}
            if changes:
                yield shown(changes, now)
            before = now

    def start(token: str, *values: Any) -> dict:
        """Nothing of an earlier run stays."""
        blank = shown(NOTHING, NOTHING)
        try:
            if not token:
                raise InputError("the page was still loading: press Run again")
            order = Order(*values)
            return {
                **blank,
                run_id: desk.start(order, token).id,
                switches["run"]: gr.update(interactive=False),
            }
        except SaccadeError as error:
            return {**blank, run_id: "", verdict: gr.update(value=trouble(str(error)), visible=True)}

    def keep(kept: dict | None, token: str, *values: Any) -> dict:
        """Nothing before the token is known: writing without it would lose it."""
        if not token:
            return gr.skip()
        return {**(kept or {}), **dict(zip(KEPT, values, strict=True)), "visitor": token}

    begun = gr.on(
        [run.click, task.submit],
        start,
        [visitor, *fields],
        [run_id, *outputs],
        concurrency_limit=None,
        **HIDDEN,
    )
    begun.then(follow, [run_id, visitor], outputs, concurrency_limit=None, **HIDDEN)
    run.click(None, js=SHOW_PAGE, **HIDDEN)
    saved = [run.click, url.blur, *(it.blur if isinstance(it, gr.Textbox) else it.change for it in more)]
    gr.on(saved, keep, [memory, visitor, *fields[1:]], memory, trigger_mode="always_last", **NOW)

    def steer(act: Callable[..., Any]) -> Callable[..., Any]:
        """`act(live, *values)` on the visitor's run, if there is one; fields are emptied."""

        def steered(id: str, token: str, *values: Any) -> Any:
            live_run = desk.owned(id, token)
            if live_run is not None:
                act(live_run, *values)
            return [""] * len(values) if len(values) != 1 else ""

        return steered

    me = [run_id, visitor]
    pause.click(steer(lambda it: it.pause()), me, **NOW)
    take.click(steer(lambda it: it.take_over()), me, js=None, **NOW)
    take.click(None, js=FOCUS_PAGE, **HIDDEN)
    stop.click(steer(lambda it: it.stop()), me, **NOW)
    gr.on([resume.click, word.submit], steer(lambda it, text: it.resume(text)), [*me, word], word, **NOW)
    gr.on([send.click, said.submit], steer(lambda it, text: it.answer(text)), [*me, said], said, **NOW)
    yes.click(steer(lambda it, text: it.approve(True, text)), [*me, why], why, **NOW)
    gr.on([no.click, why.submit], steer(lambda it, text: it.approve(False, text)), [*me, why], why, **NOW)

    def does(deed: dict[str, Any]) -> Callable[..., Any]:
        async def done(id: str, token: str) -> None:
            if desk.owned(id, token):
                complain(await desk.act({"run": id, **deed}))

        return done

    async def spelled(id: str, token: str, text: str) -> str:
        if text and desk.owned(id, token):
            complain(await desk.act({"run": id, "do": "type", "text": text}))
        return ""

    gr.on([spell.click, typed.submit], spelled, [*me, typed], typed, **NOW)
    for button, names in zip(keys, KEYS.values(), strict=True):
        button.click(does({"do": "key", "keys": names}), me, **NOW)
    back.click(does({"do": "back"}), me, **NOW)

    def recall(kept: dict | None) -> list[Any]:
        known = kept or {}
        fixed = {"url"} if defaults.url else set()
        return [gr.skip() if name in fixed or name not in known else known[name] for name in KEPT]

    def found(token: str) -> tuple[str, Any]:
        """Its run, and the button of the next, which waits for the token."""
        live_run = desk.latest(token)
        return (live_run.id if live_run else ""), gr.update(interactive=True)

    def come_back(arrived: Any) -> None:
        """After the token is known: the settings, and the run that goes on."""
        remembered = arrived.then(recall, memory, fields[1:], **HIDDEN)
        again = remembered.then(found, visitor, [run_id, run], **HIDDEN)
        again.then(follow, [run_id, visitor], outputs, concurrency_limit=None, **HIDDEN)

    return RunTab([more[0], more[1]], replay, folder, come_back)


def placeholders(defaults: Defaults) -> str | None:
    """What may be written in place of a secret."""
    known = [f"{{{{{name}}}}} on {', '.join(it.hosts)}" for name, it in defaults.secrets.items()]
    return f"Secrets that you may name: {'; '.join(known)}." if known else None


def task_fields(info: str | None) -> gr.Textbox:
    task = gr.Textbox(
        label="Task",
        info=info,
        placeholder="What is to be done, in a sentence",
        lines=3,
        max_lines=8,
        elem_id="task",
        autofocus=True,
    )
    gr.Examples([[text] for text in EXAMPLES], task, label="For example", elem_id="examples")
    return task


def more_fields(defaults: Defaults) -> list[Any]:
    """What one rarely changes; with the address before it, in the order of `Order`."""
    kind = kind_of(defaults.model)
    with gr.Accordion("Model and limits", open=False, elem_id="more"):
        kinds = gr.Radio(list(KINDS.items()), value=kind, label="Model", elem_id="kind")
        which = gr.Textbox(
            "" if kind == BUILTIN else defaults.model,
            label="Which model",
            info="A checkpoint's folder, a hub id, or an address such as http://host:8000/v1#name.",
            visible="hidden" if kind == BUILTIN else True,
            elem_id="model",
        )
        thinking = gr.Radio(MODES, value="auto", label="Thinking", elem_id="thinking")
        budget = gr.Slider(64, 8192, 2048, step=64, label="Most tokens of a thought", elem_id="budget")
        ask = gr.Radio(ASKS, value="risky", label="Actions I approve", elem_id="ask")
        most = gr.Slider(1, 60, defaults.max_steps, step=1, label="Most steps", elem_id="max-steps")
        hosts = gr.Textbox(
            " ".join(defaults.allow_hosts),
            label="Allowed hosts",
            info="Local or private hosts that the agent may also reach.",
            placeholder="localhost:8000",
            elem_id="hosts",
        )
    kinds.change(lambda kind: gr.update(visible="hidden" if kind == BUILTIN else True), kinds, which, **NOW)
    return [kinds, which, thinking, budget, ask, most, hosts]


def pane(name: str, value: str) -> Any:
    return gr.update(value=value, visible=bool(value)) if name in ("verdict", "notice") else value


def switched(now: View) -> dict[str, Any]:
    """Which switches there are, and which can be pressed, in this phase."""
    phase, going = now["phase"], now["phase"] not in ("none", "ended")
    free = going and not now["pausing"] and phase not in ("paused", "approving")
    return {
        "run": gr.update(interactive=not going),
        "pause": gr.update(visible=phase != "paused", interactive=free and phase != "asking"),
        "take": gr.update(interactive=(free or phase == "paused") and not now["hands"]),
        "resume": gr.update(visible=phase == "paused"),
        "stop": gr.update(interactive=going),
        "approval": gr.update(visible=phase == "approving"),
        "asked": gr.update(visible=phase == "asking"),
        "hands": gr.update(visible=now["hands"]),
        "word": gr.update(visible=phase == "paused"),
        "replay": gr.update(visible=bool(now["folder"])),
    }


def desk_act(desk: Desk) -> Callable[..., Any]:
    async def act(deed: dict[str, Any]) -> str:
        return await desk.act(deed)

    return act


def complain(message: str) -> None:
    if message:
        raise gr.Error(message, print_exception=False)
