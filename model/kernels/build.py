"""csrc/ -> a shared library, compiled once per machine by its C compiler and kept in the user's cache.

Without a compiler there is none, and the plain PyTorch definitions run instead. Knows files and processes;
knows nothing of tensors.
"""

import ctypes
import hashlib
import logging
import os
import platform
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCES = sorted(Path(__file__).with_name("csrc").iterdir())
# No -ffast-math: with older compilers it changes how the whole process rounds.
FLAGS = "-std=gnu11 -O3 -fPIC -shared -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math"
WIDE = "-march=native -mprefer-vector-width=512 -fopenmp"
# GNU's OpenMP is torch's as well, so both share one pool of threads; other compilers get no threads.
COMPILERS = (f"gcc {WIDE}", "gcc -mcpu=native -fopenmp", "cc -march=native", "cc -mcpu=native")
COMPILE_S = 60
log = logging.getLogger(__name__)


@cache
def library() -> Path | None:
    """The compiled library, or None where no compiler could make one."""
    parts = *(source.read_text("utf-8") for source in SOURCES), FLAGS, *COMPILERS, _processor()
    key = hashlib.sha256("".join(parts).encode()).hexdigest()
    folder = _cache_folder()
    path = folder / f"native-{key[:16]}.so"
    if path.is_file():
        return path
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _compiled(path)
    except OSError as error:
        log.info("no native kernels, %s cannot be written: %s", folder, error)
        return None


def _compiled(path: Path) -> Path | None:
    """Written beside its place and then moved there, since other processes may do the same."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        units = [str(source) for source in SOURCES if source.suffix == ".c"]
        made = Path(folder) / path.name
        for compiler in COMPILERS:
            command = [*compiler.split(), *FLAGS.split(), *units, "-o", str(made), "-lm"]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_S)
                ctypes.CDLL(str(made))
            except (OSError, subprocess.SubprocessError) as error:
                log.debug("%s: %s", compiler, error)
                continue
            os.replace(made, path)
            return path
    log.info("no native kernels: no C compiler was found, so a CPU computes with plain PyTorch")
    return None


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saccade"


def _processor() -> str:
    """What -march=native depends on: a home folder may be shared by different machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
