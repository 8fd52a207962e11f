"""The web UI: four tabs (run, history, look, chat), served to this machine. Needs the extra `ui` (Gradio).

`create_app` builds it, `launch` serves it. People are apart: each browser keeps a token, and sees and steers
its own runs alone. Nothing is loaded from, or sent to, anywhere but this server.
"""

import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import InputError
from .chattab import chat_tab
from .desk import Defaults, Desk, new_visitor
from .historytab import history_tab
from .looktab import look_tab
from .runtab import run_tab
from .theme import HIDDEN, look

STYLE = Path(__file__).with_name("app.css")
# The theme is the system's until one chooses another; the choice stays in the browser.
START = """() => {
  const chosen = localStorage.getItem('saccade-theme');
  if (chosen) document.body.classList.toggle('dark', chosen === 'dark');
  document.documentElement.lang = 'en';
}"""
SWITCH_THEME = """() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('saccade-theme', dark ? 'dark' : 'light');
}"""
TITLE = "<h1>Saccade</h1><p>It looks at the page, thinks, and acts with mouse and keyboard.</p>"


def create_app(defaults: Defaults | None = None, desk: Desk | None = None) -> gr.Blocks:
    """`desk`: to share its registry of runs with a server in the same process."""
    desk = desk or Desk(defaults or Defaults())
    with gr.Blocks(
        title="Saccade", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as app:
        memory = gr.BrowserState({}, storage_key="saccade", secret="saccade")  # settings and the token
        visitor = gr.State("")
        with gr.Row(elem_id="head"):
            gr.HTML(TITLE)
            theme = gr.Button("Light / dark", elem_id="theme", size="sm", scale=0, min_width=110)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Run", id="run"):
                run = run_tab(desk, memory, visitor)
            with gr.Tab("History", id="history") as history:
                shown = history_tab(desk, visitor, history)
            with gr.Tab("Look", id="look"):
                look_tab(desk, run.model)
            with gr.Tab("Chat", id="chat"):
                chat_tab(desk, run.model)

        def arrive(kept: dict | None) -> tuple[dict, str]:
            token = (kept or {}).get("visitor") or new_visitor()
            return {**(kept or {}), "visitor": token}, token

        arrived = app.load(arrive, memory, [memory, visitor], **HIDDEN)
        run.come_back(arrived)
        run.replay.click(lambda: gr.Tabs(selected="history"), None, tabs, **HIDDEN).then(
            shown.open, [visitor, run.folder], shown.outputs, **HIDDEN
        )
        theme.click(None, js=SWITCH_THEME, **HIDDEN)
    return app


def launch(
    defaults: Defaults,
    ready: Callable[[str], None],
    host: str = "127.0.0.1",
    port: int | None = None,
    show: bool = False,
) -> None:
    """Serve until Ctrl-C, which stops what runs. `ready` hears the address once it is served; `port` None
    takes the first free one from 7860; `show` opens the user's browser.

    Raises InputError when the port or the host cannot be used.
    """
    defaults.runs.mkdir(parents=True, exist_ok=True)
    desk = Desk(defaults)
    app = create_app(desk=desk)
    try:
        app.launch(server_name=host, server_port=port, **launch_options())
    except OSError as error:
        raise InputError(
            f"cannot serve at {host}:{port or 'any port'} ({error}); give another --port"
        ) from None
    address = str(app.local_url)
    ready(address)
    if show:
        webbrowser.open(address)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        desk.registry.close()
        app.close(verbose=False)


def launch_options() -> dict[str, Any]:
    """Gradio without its own voice: no sharing, no footer, no page rendered by Node, no folder served, and no
    start that fails where a busy machine takes longer than 3 s to show the page once (`_frontend`).
    """
    return {
        "_frontend": False,
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "show_error": True,
        "footer_links": [],
        "theme": look(),
        "css": STYLE.read_text("utf-8"),
        "js": START,
    }
