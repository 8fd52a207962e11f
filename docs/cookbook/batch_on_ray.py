"""A batch over a cluster with Ray: each task is a function call with a browser of its own, wherever a core is
free; a task whose machine fails is begun again elsewhere. Needs `pip install 'saccade[ray]'`.

On one machine `saccade batch tasks.jsonl --parallel 4` does the same without Ray.

Prints:
    mugs: success, 1 in the cart
    clocks: success, 2 in the cart
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import ray  # type: ignore[import-not-found]
from saccade import Agent, Browser
from stage import Shop, model

TASKS = [
    {"id": "mugs", "task": "Put one mug into the cart", "page": "product/stoneware-mug", "clicks": 1},
    {"id": "clocks", "task": "Put two clocks into the cart", "page": "product/wall-clock", "clicks": 2},
]


async def play(task: dict[str, Any]) -> dict[str, Any]:
    with Shop() as shop:
        async with Browser(shop.url + task["page"]) as browser:
            plan = model(browser, *[{"action": "left_click", "at": ".product .button"}] * task["clicks"])
            run = await Agent(task["task"], plan, browser).run()
        return {"id": task["id"], "status": run.status, "cart": sum(shop.state()["cart"].values())}


@ray.remote(num_cpus=1, max_retries=2)
def work(task: dict[str, Any]) -> dict[str, Any]:
    return asyncio.run(play(task))


def main() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home unless it is told not to
    here = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ray.init(runtime_env={"env_vars": {"PYTHONPATH": here}}, log_to_driver=False)
    for result in ray.get([work.remote(task) for task in TASKS]):
        print(f"{result['id']}: {result['status']}, {result['cart']} in the cart")
    ray.shutdown()


if __name__ == "__main__":
    main()
