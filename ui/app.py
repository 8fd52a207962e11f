"""The web UI: a task, a page that one watches, a list of steps. Needs the extra `ui` (Gradio).

`create_app` builds it, `launch` serves it. Runs of different people are apart: each has a browser of its own,
and only its own page can stop it. Nothing is loaded from, or sent to, anywhere but this server.
"""

import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import themes

from ..errors import InputError
from .board import live_page, step_list, thought_card
from .desk import BUILTIN, Defaults, Desk, Frame, Order

STYLE = Path(__file__).with_name("app.css")
EXAMPLES = (
    "Open the Help page",
    "Search for 'lamp' and add the first result to the cart",
    "Search for 'kettle' and open the first result",
)
MODES = [("Fast", "fast"), ("Auto", "auto"), ("Deep", "deep")]
PORTS = range(7860, 7880)
RUNS_AT_ONCE = 16
SHOW_PAGE = "() => innerWidth < 800 && document.getElementById('live').scrollIntoView({behavior: 'smooth'})"
SWITCH_THEME = "() => document.body.classList.toggle('dark')"
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def create_app(defaults: Defaults | None = None) -> gr.Blocks:
    defaults = defaults or Defaults()
    desk = Desk(defaults)
    with gr.Blocks(
        title="Saccade", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as app:
        with gr.Row(elem_id="head"):
            gr.HTML("<h1>Saccade</h1><p>It looks at the page, thinks, and acts with mouse and keyboard.</p>")
            theme = gr.Button("Light / dark", elem_id="theme", size="sm", scale=0, min_width=110)
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=3, min_width=280, elem_id="order"):
                fields = order_fields(defaults)
                with gr.Row(elem_id="buttons"):
                    run = gr.Button("Run", variant="primary", elem_id="run", min_width=90)
                    stop = gr.Button("Stop", elem_id="stop", min_width=90, interactive=False)
                more_fields(defaults, fields)
            with gr.Column(scale=7, min_width=300):
                live = gr.HTML(live_page(), elem_id="live")
                verdict = gr.HTML(visible=False, elem_id="verdict")
                film = gr.Image(
                    visible=False,
                    show_label=False,
                    elem_id="film",
                    type="filepath",
                    interactive=False,
                    buttons=["download", "fullscreen"],
                    alt_text="The run, step by step",
                )
            with gr.Column(scale=4, min_width=280):
                thought = gr.HTML(thought_card(), elem_id="thought")
                steps = gr.HTML(step_list([]), elem_id="steps", autoscroll=True)
        parts = {
            "live": live,
            "thought": thought,
            "steps": steps,
            "verdict": verdict,
            "film": film,
            "run": run,
            "stop": stop,
        }

        async def play(request: gr.Request, *values: Any) -> AsyncIterator[dict]:
            async for frame in desk.play(Order(*values), request.session_hash or ""):
                yield {parts[name]: value for name, value in updates(frame).items()}

        def end(request: gr.Request) -> None:
            desk.stop(request.session_hash or "")

        gr.on(
            [run.click, fields[0].submit],
            play,
            fields,
            [*parts.values()],
            concurrency_limit=RUNS_AT_ONCE,
            **HIDDEN,
        )
        run.click(None, js=SHOW_PAGE, **HIDDEN)
        stop.click(end, queue=False, **HIDDEN)
        theme.click(None, js=SWITCH_THEME, **HIDDEN)
        app.unload(end)
    return app


def order_fields(defaults: Defaults) -> list[Any]:
    """Task and address; in the order of `Order`."""
    task = gr.Textbox(
        label="Task",
        placeholder="What is to be done, in a sentence",
        lines=3,
        max_lines=8,
        elem_id="task",
        autofocus=True,
    )
    gr.Examples([[text] for text in EXAMPLES], task, label="For example", elem_id="examples")
    url = gr.Textbox(defaults.url, label="Address", placeholder="https://example.com", elem_id="url")
    return [task, url]


def more_fields(defaults: Defaults, fields: list[Any]) -> None:
    """Appends the fields that one rarely changes."""
    names = list(dict.fromkeys([defaults.model, BUILTIN]))
    with gr.Accordion("Model and limits", open=False, elem_id="more"):
        fields += [
            gr.Dropdown(
                names,
                value=defaults.model,
                label="Model",
                info="builtin, or the folder of a checkpoint",
                allow_custom_value=True,
                elem_id="model",
            ),
            gr.Radio(MODES, value="auto", label="Thinking", elem_id="thinking"),
            gr.Slider(1, 60, defaults.max_steps, step=1, label="Most steps", elem_id="max-steps"),
            gr.Textbox(
                " ".join(defaults.allow_hosts),
                label="Allowed hosts",
                info="local or private hosts that the agent may also reach",
                placeholder="localhost:8000",
                elem_id="hosts",
            ),
        ]


def updates(frame: Frame) -> dict[str, Any]:
    """A frame's values for the parts that show them; what has no value is not shown."""
    shown: dict[str, Any] = {**frame}
    if "running" in frame:
        running = shown.pop("running")
        shown |= {"run": gr.update(interactive=not running), "stop": gr.update(interactive=running)}
    for name in {"verdict", "film"} & frame.keys():
        shown[name] = gr.update(value=frame[name], visible=bool(frame[name]))
    return shown


def launch(defaults: Defaults, host: str = "127.0.0.1", port: int | None = None, show: bool = False) -> None:
    """Serve until Ctrl-C. `port` None takes the first free one from 7860; `show` opens the user's browser.

    Raises InputError when the port or the host cannot be used.
    """
    defaults.runs.mkdir(parents=True, exist_ok=True)
    app = create_app(defaults)
    try:
        app.launch(server_name=host, server_port=port, **launch_options(defaults))
    except OSError as error:
        raise InputError(
            f"cannot serve at {host}:{port or 'any port'} ({error}); give another --port"
        ) from None
    address = str(app.local_url)
    print(f"Saccade is at {address} (Ctrl-C stops it)", flush=True)
    if show:
        webbrowser.open(address)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        app.close(verbose=False)


def launch_options(defaults: Defaults) -> dict[str, Any]:
    """Gradio without its own voice: no sharing, no footer, no page rendered by Node."""
    return {
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "show_error": True,
        "footer_links": [],
        "allowed_paths": [str(defaults.runs.resolve())],
        "theme": look(),
        "css": STYLE.read_text("utf-8"),
    }


def look() -> themes.Base:
    """Calm greys, one warm accent: the colour of the marks on the page."""
    ember = themes.Color(
        "#fff4f0", "#ffe4db", "#ffc7b6", "#ffa287", "#ff7653", "#f2542d",
        "#d9431d", "#b33515", "#8f2d16", "#742817", "#401208",
    )  # fmt: skip
    theme = themes.Base(
        primary_hue=ember,
        secondary_hue=ember,
        neutral_hue="slate",
        radius_size="lg",
        font=["ui-sans-serif", "system-ui", "Segoe UI", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SF Mono", "Consolas", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0d1118",
        block_background_fill="white",
        block_background_fill_dark="#151b26",
        block_border_color="*neutral_200",
        block_border_color_dark="#263042",
        block_border_width="1px",
        block_radius="12px",
        block_label_radius="12px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#0f141d",
        input_border_color="*neutral_300",
        input_border_color_dark="#2c374a",
        input_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
    )
