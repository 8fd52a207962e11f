"""Agents as clients of the server: our own, which must act as with the local engine, and browser-use."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from saccade.agent import RemoteModel
from saccade.agent.thinking import Budget
from saccade.tools import Browser, computer_use_schema
from saccade.ui.wiring import load_model

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saccade-bench"


def page() -> Image.Image:
    image = Image.new("RGB", (480, 360), "white")
    pen = ImageDraw.Draw(image)
    for i, word in enumerate(("Home", "Help", "Cart")):
        pen.rounded_rectangle((20 + 150 * i, 20, 150 + 150 * i, 60), 6, fill="#dde")
        pen.text((50 + 150 * i, 32), word, "black")
    return image


@pytest.mark.parametrize("thinking", ["auto", "deep", Budget("deep", 6), "fast"])
async def test_a_remote_model_replies_as_the_local_one(engine, server, thinking):
    """The same thought and the same call: what is said about the page crosses the wire unharmed."""
    remote = load_model(server.address)
    assert isinstance(remote, RemoteModel)
    remote._pictures.form = "png"  # without loss
    assert (remote.name, remote.dialect) == ("builtin", "saccade")
    assert remote.preferences.viewport == engine.preferences.viewport
    assert remote.preferences.memory == engine.preferences.memory
    content = [{"type": "image", "image": page()}, {"type": "text", "text": "Task: Open the Help page"}]
    messages = [{"role": "user", "content": content}]
    theirs = await remote.reply(messages, [computer_use_schema()], thinking)
    from saccade.ui.listening import bounded

    ours = await engine.reply(messages, [computer_use_schema()], bounded(engine, thinking))
    assert (theirs.thought, theirs.text) == (ours.thought, ours.text)
    assert [(it.name, it.arguments) for it in theirs.calls] == [(it.name, it.arguments) for it in ours.calls]
    assert len(theirs.calls) == 1
    assert theirs.usage.prompt_tokens == ours.usage.prompt_tokens
    assert theirs.usage.thinking_tokens == ours.usage.thinking_tokens


async def test_a_whole_run_through_the_server(server, tmp_path):
    from saccade.agent import Agent

    site = tmp_path / "page.html"
    site.write_text("<button style='width:90vw;height:60vh'>Help</button>")
    model = load_model(f"{server.address}#builtin")
    run = await Agent("Click Help", model, Browser(site.as_uri()), max_steps=2, out=tmp_path / "run").run()
    assert run.steps[0].action is not None, "the grammar leaves no invalid call"
    assert run.steps[0].usage.prompt_tokens > 500


def test_a_server_that_is_not_ours_stays_what_it_is(tmp_path):
    nobody = RemoteModel("http://127.0.0.1:9/v1", "x").acquaint()
    assert (nobody.dialect, nobody.name, nobody.preferences.memory) == ("qwen", "x", "conversation")


BROWSER_USE = """
import asyncio, json, sys
from browser_use import ChatOpenAI
from browser_use.llm.messages import UserMessage
from pydantic import BaseModel

class Answer(BaseModel):
    done: bool

async def main():
    model = ChatOpenAI(model="builtin", base_url=sys.argv[1], api_key="none", temperature=0, max_retries=0)
    text = await model.ainvoke([UserMessage(content="Task: Open the Help page")])
    form = await model.ainvoke([UserMessage(content="Task: Open the Help page")], output_format=Answer)
    print(json.dumps([type(text.completion).__name__, form.completion.done, form.usage.prompt_tokens]))

asyncio.run(main())
"""


def test_browser_use_as_a_client(server, tmp_path):
    """In the venv that `python -m bench agent` makes; what counts is that it takes our answers."""
    homes = sorted(CACHE.glob("browser-use-*/ready"))
    if not homes:
        pytest.skip("browser-use is not installed: `python -m bench agent` does it")
    python = homes[-1].parent / "bin" / "python"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"ANONYMIZED_TELEMETRY": "false", "BROWSER_USE_LOGGING_LEVEL": "error"}
    done = subprocess.run(
        [str(python), "-c", BROWSER_USE, server.address],
        capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    kind, answer, tokens = json.loads(done.stdout.splitlines()[-1])
    assert kind == "str"
    assert isinstance(answer, bool)
    assert tokens > 5
