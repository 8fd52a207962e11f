r"""A model on another machine: vLLM, SGLang or `saccade serve`. This machine loads no torch, and needs none.

    vllm serve Qwen/Qwen3.5-4B --reasoning-parser qwen3 \
        --enable-auto-tool-choice --tool-call-parser qwen3_coder       # there
    SERVER=http://gpu:8000/v1 python docs/cookbook/remote.py           # here

Without SERVER, `saccade serve` on this machine stands in, with the built-in model.

Prints:
    builtin at http://127.0.0.1:.../v1
    1. ...
    torch was needed here: False
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from saccade import Agent, Browser, RemoteModel
from stage import Shop


@contextmanager
def server() -> Iterator[str]:
    if "SERVER" in os.environ:
        yield os.environ["SERVER"]
        return
    command = [sys.executable, "-m", "saccade", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


def main() -> None:
    with server() as address, Shop() as shop:
        model = RemoteModel(address, api_key=os.environ.get("SACCADE_API_KEY")).acquaint()
        print(f"{model.name} at {address}")
        agent = Agent("Open the Help page", model, Browser(shop.url), until="url=*/help", max_steps=2)
        run = agent.run_sync()
        for step in run.steps:
            print(f"{step.number}. {step.thought or step.describe()}")
    print("torch was needed here:", "torch" in sys.modules)


if __name__ == "__main__":
    main()
