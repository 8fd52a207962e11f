"""What has to be said before torch and Triton are imported, here and in the programs that tests start.

Each process has one thread, since tests run side by side: OpenMP's barriers wait for threads that have no
core. Without a GPU, Triton kernels run in Triton's interpreter.
"""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
