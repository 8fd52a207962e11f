"""docs/agent.md says what is so: its code is Python, and what it calls and reads exists."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from saccade import Agent, Browser, Run, Secret
from saccade.agent.replay import Replayer
from saccade.agent.script import export_playwright

TEXT = (Path(__file__).parents[2] / "docs" / "agent.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CALLED = [Agent, Browser, Secret, Replayer, export_playwright]
OWNERS: dict[str, Any] = {"agent": Agent, "run": Run, "browser": Browser}


def trees() -> list[ast.AST]:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return [compile(block, "docs/agent.md", "exec", flags) for block in BLOCKS]


@pytest.mark.parametrize("function", CALLED, ids=lambda it: it.__name__)
def test_what_is_called_takes_these_arguments(function):
    known, found = inspect.signature(function).parameters, 0
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function.__name__:
            found += 1
            assert {keyword.arg for keyword in node.keywords} <= known.keys(), ast.unparse(node)
            assert len(node.args) <= len(known)
    assert found


def test_attributes_exist():
    code = {ast.unparse(n) for tree in trees() for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    names = code | set(re.findall(r"`(?:await )?((?:agent|run|browser)\.\w+)", TEXT))
    read = [name.split(".") for name in names if name.count(".") == 1 and name.split(".")[0] in OWNERS]
    assert len(read) > 10
    fields = {"agent": vars(Agent("x")), "run": Run.__dataclass_fields__, "browser": {}}
    for owner, name in read:
        assert hasattr(OWNERS[owner], name) or name in fields[owner], f"{owner}.{name}"
