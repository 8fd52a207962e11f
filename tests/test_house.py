"""The house stands: who may import whom, what an import costs, and that the wheel holds every room.

Reads the source with `ast`, so a forbidden import is found even where it is never executed.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import saccade
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS = ("agent", "evals", "model", "tools", "ui", "vision")

# What a room may import of ours besides itself; evals and ui may import everything.
ALLOWED = {
    "errors": (),
    "vision": ("errors",),
    "tools": ("errors", "vision.screen", "vision.still"),
    "model": ("errors", "vision"),
    "agent": ("errors", "tools", "vision.screen", "vision.still"),
    "__init__": ("agent", "tools"),
    "__main__": ("ui",),
}
HEAVY = {"torch", "triton", "transformers", "tokenizers", "safetensors", "gradio", "fastapi", "uvicorn"}
# The one place where a module of another room is named in a string, to be imported on first use.
LATE_BOUND = {"agent/models.py": "saccade.ui.wiring"}
OPTIONAL = {
    "django", "fastapi", "gradio", "httpx", "mcp", "openai", "prometheus_client", "ray", "starlette",
    "triton", "uvicorn",
}  # fmt: skip


def modules(room: str | None = None) -> list[Path]:
    """Every module that is shipped, or those of one room."""
    rooms = [ROOT / name for name in ([room] if room else ROOMS)]
    files = [file for folder in rooms for file in folder.rglob("*.py")]
    return sorted(files + ([] if room else list(ROOT.glob("*.py"))))


def room_of(file: Path) -> str:
    first = file.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """What a module imports, absolute: `saccade.tools.actions.Action`, `torch.nn`."""
    package = ["saccade", *file.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def test_walls_are_kept():
    broken = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules()
        if (allowed := ALLOWED.get(room_of(file))) is not None
        for name in imports(file)
        if name.startswith("saccade.") and not permitted(name, (room_of(file), *allowed))
    ]
    assert not broken, "\n".join(broken)


def permitted(name: str, allowed: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"saccade.{place}.") for place in allowed)


@pytest.mark.parametrize("place", ["agent", "tools", "vision/screen.py", "vision/still.py"])
def test_light_rooms_never_name_heavy_libraries(place):
    files = [ROOT / place] if place.endswith(".py") else modules(place)
    heavy = {
        f"{file.name}: {name}" for file in files for name in imports(file) if name.split(".")[0] in HEAVY
    }
    assert not heavy


def test_late_bound_edges_are_the_documented_ones():
    rooms = "|".join(ROOMS)
    found = {
        str(file.relative_to(ROOT)): match[0]
        for file in modules()
        if room_of(file) in ALLOWED
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (match := re.match(rf"saccade\.({rooms})\.\w+(?=:|$)", node.value))
    }
    assert found.items() <= LATE_BOUND.items()


def test_the_network_can_be_read_in_an_afternoon():
    """All that loading, running and exporting a checkpoint takes, kernels apart, and what feeds it pixels."""
    waiting, network = [ROOT / "model" / "weights.py", ROOT / "vision" / "processor.py"], set()
    while waiting:
        file = waiting.pop()
        network.add(file)
        names = (name.split(".")[1:] for name in imports(file) if name.startswith("saccade."))
        reached = {ROOT.joinpath(*parts[:n]).with_suffix(".py") for parts in names for n in (2, 3)}
        waiting += [it for it in reached if it.is_file() and it not in network and "kernels" not in it.parts]
    lines = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in network}
    assert {"model/deltanet.py", "model/quantise.py", "vision/encoder.py", "vision/frames.py"} <= lines.keys()
    assert sum(lines.values()) < 2500, lines
    assert max(lines.values()) < 400, lines


def test_every_module_says_what_it_is():
    silent = [
        str(file.relative_to(ROOT))
        for file in modules()
        if (tree := ast.parse(file.read_text("utf-8"))).body and not ast.get_docstring(tree)
    ]
    assert not silent


def test_import_is_light():
    # CPU seconds of the import alone, best of three: other work on the machine must not count.
    code = (
        "import sys, time; start = time.process_time(); import saccade; cost = time.process_time() - start;"
        "heavy = {'torch', 'playwright', 'gradio', 'numpy', 'PIL', 'cv2'} & set(sys.modules);"
        "print(cost, *heavy)"
    )
    outputs = [run_python("-c", code).split() for _ in range(3)]
    assert not outputs[0][1:]
    assert min(float(seconds) for seconds, *_ in outputs) < 0.3


def test_agent_runs_without_torch():
    code = "import sys, saccade.agent, saccade.tools.browser; print(*{'torch', 'gradio'} & set(sys.modules))"
    assert run_python("-c", code).split() == []


def test_a_start_does_not_wait_for_what_compares_pictures():
    code = (
        "import sys, saccade.agent.episode, saccade.agent.oneshot;print(*{'numpy', 'cv2'} & set(sys.modules))"
    )
    assert run_python("-c", code).split() == []


def test_a_model_loads_without_torchs_compiler():
    """Which takes longer to import than the built-in model takes to load and to answer."""
    code = (
        "import sys; from saccade.model.engine import Engine; Engine.from_pretrained('builtin');"
        "print(*{'torch._dynamo', 'torch._inductor', 'sympy'} & set(sys.modules))"
    )
    assert run_python("-c", code).split() == []
    called = [file for file in modules("model") if "torch.compiler." in file.read_text("utf-8")]
    assert called == [], "what only a GPU runs would import it in the middle of its first request"


def test_version_is_stated_once():
    assert saccade.__version__ == PROJECT["project"]["version"]


def test_packages_are_the_folders():
    folders = {
        f"saccade.{'.'.join(file.relative_to(ROOT).parts[:-1])}"
        for file in modules()
        if room_of(file) in ROOMS
    }
    assert sorted({"saccade", *folders}) == sorted(PROJECT["tool"]["setuptools"]["packages"])


def test_constraints_pin_what_is_required():
    pins = dict(line.split("==") for line in lines_of(ROOT / "constraints.txt"))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    extras = PROJECT["project"]["optional-dependencies"]
    required = [Requirement(text) for text in (*PROJECT["project"]["dependencies"], *extras["dev"])]
    wrong = [str(need) for need in required if not need.specifier.contains(pins.get(need.name.lower(), "0"))]
    assert not wrong
    assert pins["torch"] == "2.13.0", "a pin with a local version tag, or a range, would fetch another build"


def lines_of(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no stale build folder helps."""
    source, out = tmp_path_factory.mktemp("source") / "saccade", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in (*ROOMS, "pyproject.toml", "README.md", "LICENSE", "py.typed"):
        copy(ROOT / name, source / name)
    for file in ROOT.glob("*.py"):
        copy(file, source / file.name)
    run_python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source))
    return next(out.glob("*.whl"))


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_wheel_holds_every_file(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [*modules(), *data_files()]
    missing = [str(it) for it in files if f"saccade/{it.relative_to(ROOT).as_posix()}" not in held]
    assert not missing


def data_files() -> list[Path]:
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*") if file.is_file())
    return [file for file in files if file.suffix not in (".py", ".pyc", ".pyo")]


def test_wheel_imports_in_an_empty_environment(wheel, tmp_path):
    """Our modules come from the wheel alone; the libraries are borrowed from this environment."""
    home = tmp_path / "venv"
    run_python("-m", "venv", "--without-pip", str(home))
    python = next(home.glob("bin/python")) if os.name == "posix" else home / "Scripts" / "python.exe"
    run_python(
        "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)
    )
    packages = Path(
        run_python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", python=python).strip()
    )
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    names = [module_name(file) for file in modules() if file.name != "__main__.py"]
    script = tmp_path / "import_all.py"
    script.write_text(IMPORT_ALL.format(names=names, optional=OPTIONAL, home=str(home)), "utf-8")
    assert run_python(str(script), python=python, cwd=tmp_path).split() == [str(len(names))]
    assert saccade.__version__ in run_python("-m", "saccade", "--version", python=python, cwd=tmp_path)


IMPORT_ALL = """
import importlib
names = {names!r}
for name in names:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {optional!r}:
            raise
    else:
        assert module.__file__.startswith({home!r}), module.__file__
print(len(names))
"""


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(("saccade", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def run_python(*arguments: str, python: Path | str = sys.executable, cwd: Path | None = None) -> str:
    # One clean environment: nothing of the source tree may leak in through PYTHONPATH or the working folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *arguments],
        env=environment,
        cwd=cwd or Path(sys.prefix),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
