"""Without a GPU, Triton kernels run in Triton's interpreter, which is chosen before Triton is imported."""

import os
from pathlib import Path

if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
