"""Does the model hit what is named? `saccade eval grounding SET --model builtin`.

SET is a folder with tasks.jsonl and pages (`python -m train.held_out` writes one). Each page is opened in
the product's own browser, the model sees one screenshot and gives one action, and the page itself says which
element lies under the point.
"""

import functools
import json
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.table import Table
from saccade.agent.memory import make_memory
from saccade.agent.protocol import ChatModel
from saccade.errors import ActionError, InputError
from saccade.tools import Browser, computer_use_schema, parse_action
from saccade.tools.observation import Observation
from saccade.vision.screen import mark_action

from .results import Result, Tell, kinds_table, play_all, share

HIT = """([x, y, target]) => {
  const el = document.elementFromPoint(x, y);
  return !!(el && el.closest(`[data-e="${target}"]`));
}"""
Pair = tuple[Browser, str]  # and where the set is served


def read_tasks(folder: Path) -> list[dict[str, Any]]:
    path = folder / "tasks.jsonl"
    if not path.is_file():
        raise InputError(
            f"no tasks.jsonl in {folder}: write a set with `python -m train.held_out --out {folder}`"
        )
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def play(
    folder: Path, tasks: list[dict[str, Any]], model: ChatModel, out: Path, parallel: int, tell: Tell
) -> list[Result]:
    """One result per task; pictures of misses go to `out`."""
    items = [
        (f"{i:04d} {task['page']}", {**task, "place": f"miss-{i:04d}.png"}) for i, task in enumerate(tasks)
    ]

    @asynccontextmanager
    async def hand() -> AsyncIterator[Pair]:
        async with Browser(f"{url}/{tasks[0]['page']}", viewport=model.preferences.viewport) as browser:
            yield browser, url

    async def work(task: dict[str, Any], pair: Pair) -> Result:
        browser, url = pair
        await browser.page.goto(f"{url}/{task['page']}")
        return await answer(task, model, browser, out)

    with serve(folder) as url:
        return await play_all(items, hand, work, out, parallel, tell)


async def answer(task: dict[str, Any], model: ChatModel, browser: Browser, out: Path) -> Result:
    """What the model does on one page, and whether that is right."""
    seen = await browser.observe()
    begin = time.perf_counter()
    reply = await model.reply(make_memory("snapshot", task["task"]).see(seen), [computer_use_schema()])
    seconds = round(time.perf_counter() - begin, 3)
    result = {**task, "seconds": seconds, "thought": reply.thought, "error": None}
    try:
        action = parse_action(reply.calls[0].name, reply.calls[0].arguments) if reply.calls else None
    except ActionError as error:
        action, result["error"] = None, str(error)
    arguments = action.arguments() if action else {}
    point = arguments.get("coordinate")
    hit = point is not None and await browser.evaluate(
        HIT, [*seen.geometry.relative_to_css(tuple(point)), task["target"]]
    )
    typed = task["text"] is None or arguments.get("text") == task["text"]
    result |= {"action": arguments, "hit": bool(hit), "typed": typed, "right": bool(hit and typed)}
    picture = result.pop("place")
    if not result["right"]:
        _draw(seen, point, task["task"], out / picture)
    return {**result, "picture": None if result["right"] else picture}


def _draw(seen: Observation, point: Any, caption: str, path: Path) -> None:
    points = [seen.geometry.relative_to_image(tuple(point))] if point else None
    mark_action(seen.image, points, caption).save(path)


def summary(results: list[Result]) -> dict[str, Any]:
    clicks = [r for r in results if r["text"] is None]
    typing = [r for r in results if r["text"] is not None]
    return {
        "tasks": len(results),
        "right": share(r["right"] for r in results),
        "clicks": len(clicks),
        "click_hit": share(r["hit"] for r in clicks),
        "typing": len(typing),
        "field_hit": share(r["hit"] for r in typing),
        "text_exact": share(r["typed"] for r in typing),
        "median_seconds": statistics.median([r["seconds"] for r in results]) if results else None,
    }


def summary_table(results: list[Result]) -> Table:
    return kinds_table(results, "Grounding: one screenshot, one action", ("hit", "right"))


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The folder on a free port of loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    from saccade.ui.cli import main

    main(["eval", "grounding", *sys.argv[1:]])
