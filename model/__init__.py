"""The network: official checkpoints in, tokens out; kernels in C and Triton beside plain PyTorch."""

import os

# How long threads that wait for each other spin before they sleep. libgomp's own count, thirty times as long,
# keeps those they wait for from running where a machine has other work; sleeping at once halves the decoding
# speed where it has none. Read when torch is imported; what the user has set stays.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
