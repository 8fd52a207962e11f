"""Does the model hit what is named? `python -m saccade.evals.grounding SET --model builtin`.

SET is a folder with tasks.jsonl and pages (`python -m train.held_out` writes one). Each page is opened in
the product's own browser, the model sees one screenshot and gives one action, and the page itself says which
element lies under the point. Resumes where it stopped; prints a table and a last line of JSON; draws the
misses.
"""

import argparse
import asyncio
import functools
import json
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from saccade.agent.memory import make_memory
from saccade.agent.protocol import ChatModel
from saccade.errors import ActionError, InputError
from saccade.tools import Browser, computer_use_schema, parse_action
from saccade.tools.observation import Observation
from saccade.ui.wiring import load_model
from saccade.vision.screen import mark_action

HIT = """([x, y, target]) => {
  const el = document.elementFromPoint(x, y);
  return !!(el && el.closest(`[data-e="${target}"]`));
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path, help="folder with tasks.jsonl and pages")
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--limit", type=int, help="only the first tasks")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/grounding"), help="results and pictures of misses"
    )
    args = parser.parse_args()
    console = Console(stderr=True)
    tasks = read_tasks(args.set)[: args.limit]
    args.out.mkdir(parents=True, exist_ok=True)
    results = asyncio.run(play(args.set, tasks, load_model(args.model), args.out, console))
    console.print(summary_table(results))
    print(json.dumps(summary(results) | {"model": args.model, "set": str(args.set)}))


def read_tasks(folder: Path) -> list[dict[str, Any]]:
    path = folder / "tasks.jsonl"
    if not path.is_file():
        raise InputError(
            f"no tasks.jsonl in {folder}: write a set with `python -m train.held_out --out {folder}`"
        )
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_results(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


async def play(
    folder: Path, tasks: list[dict], model: ChatModel, out: Path, console: Console
) -> list[dict[str, Any]]:
    """One result per task, appended to results.jsonl as it comes; what is there is not played again."""
    journal = out / "results.jsonl"
    results = read_results(journal)
    done = {(r["page"], r["task"]) for r in results}
    with serve(folder) as url:
        async with Browser(f"{url}/{tasks[0]['page']}", viewport=model.preferences.viewport) as browser:
            for i, task in enumerate(track(tasks, "grounding", console=console)):
                if (task["page"], task["task"]) in done:
                    continue
                await browser.page.goto(f"{url}/{task['page']}")
                results.append(await answer(task, model, browser, out / f"miss-{i:03}.png"))
                with journal.open("a") as file:
                    file.write(json.dumps(results[-1]) + "\n")
    wanted = {(t["page"], t["task"]) for t in tasks}
    return [r for r in results if (r["page"], r["task"]) in wanted]


async def answer(task: dict, model: ChatModel, browser: Browser, picture: Path) -> dict[str, Any]:
    """What the model does on one page, and whether that is right."""
    seen = await browser.observe()
    begin = time.perf_counter()
    reply = await model.reply(make_memory("snapshot", task["task"]).see(seen), [computer_use_schema()])
    result = {**task, "seconds": round(time.perf_counter() - begin, 3), "thought": reply.thought}
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
    if not result["right"]:
        _draw(seen, point, task["task"], picture)
    return result


def _draw(seen: Observation, point: Any, caption: str, path: Path) -> None:
    points = [seen.geometry.relative_to_image(tuple(point))] if point else None
    mark_action(seen.image, points, caption).save(path)


def summary(results: list[dict]) -> dict[str, Any]:
    clicks = [r for r in results if r["text"] is None]
    typing = [r for r in results if r["text"] is not None]
    return {
        "clicks": len(clicks),
        "click_hit": _share(r["hit"] for r in clicks),
        "typing": len(typing),
        "field_hit": _share(r["hit"] for r in typing),
        "text_exact": _share(r["typed"] for r in typing),
        "median_seconds": statistics.median([r["seconds"] for r in results]) if results else None,
    }


def summary_table(results: list[dict]) -> Table:
    table = Table("kind", "tasks", "hit", "right", title="Grounding: one screenshot, one action")
    kinds: dict[str, list[dict]] = defaultdict(list)
    for result in results:
        kinds[result["kind"]].append(result)
    for kind, rows in [*sorted(kinds.items()), ("all", results)]:
        hit, right = _share(r["hit"] for r in rows), _share(r["right"] for r in rows)
        table.add_row(kind, str(len(rows)), f"{hit:.1%}", f"{right:.1%}")
    return table


def _share(values: Any) -> float:
    values = list(values)
    return round(sum(values) / len(values), 4) if values else 0.0


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The folder on a free port of loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
