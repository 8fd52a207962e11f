"""The first request of a process: `python -m bench._gpu_start`, which `bench gpu` starts twice, so that the
kernels lie in Triton's cache the second time.

The clock runs from the request to the whole reply, with the engine built and its weights on the card: a
screenshot, 8 tokens. Prints one line of JSON.
"""

import argparse
import json
import subprocess
import sys

import torch

from bench._gpu_engine import engine_of, turn
from bench._gpu_lab import Lab, Wrong
from bench._gpu_models import TEXT, VISION, network
from bench._gpu_parts import wall

MOST_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layers", type=int, default=40)
    layers = parser.parse_args().layers
    text = {**TEXT, "num_hidden_layers": layers}
    lab = Lab(lambda: network(layers), text, VISION, copy=1.0, matmul=1.0)
    engine = engine_of(lab)
    torch.cuda.synchronize()
    seconds = [
        wall(lambda i=i: engine.generate(turn(lab, i)[:1], max_tokens=8, thinking="fast").finish())
        for i in range(3)
    ]
    print(json.dumps({"first_s": seconds[0], "later_s": seconds[1:]}))


def start(lab: Lab) -> dict[str, object]:
    """In processes of their own, for which the card must have room."""
    command = [sys.executable, "-m", "bench._gpu_start", "--layers", str(lab.text["num_hidden_layers"])]
    seen = []
    for _ in range(2):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=True)
        except subprocess.CalledProcessError as error:
            raise Wrong(f"the first request failed: {error.stderr[-400:]}") from None
        except subprocess.TimeoutExpired:
            raise Wrong(f"the first request took more than {MOST_S} s") from None
        seen.append(json.loads(done.stdout.splitlines()[-1]))
    lab.note("first request", ours=seen[-1]["first_s"])
    return {"first": seen[0], "cached": seen[1]}


if __name__ == "__main__":
    main()
