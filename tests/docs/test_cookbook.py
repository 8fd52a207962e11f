"""Every recipe runs as it stands and prints what it says that it prints."""

import ast
import doctest
import importlib.util
import io
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook"
RECIPES = sorted(file.stem for file in COOKBOOK.glob("*.py") if file.stem != "stage")
# In a process of their own, for what they import or do not import; and what they need.
APART = {"batch_on_ray": "ray", "remote": "fastapi"}


def said(recipe: str) -> str:
    """The end of its docstring."""
    text = ast.get_docstring(ast.parse((COOKBOOK / f"{recipe}.py").read_text("utf-8")))
    assert text
    return textwrap.dedent(text.partition("\nPrints:\n")[2]).strip() + "\n"


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe(recipe, tmp_path, monkeypatch, capsys):
    if recipe in APART and importlib.util.find_spec(APART[recipe]) is None:
        pytest.skip(f"{APART[recipe]} is an extra, and not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(COOKBOOK))
    monkeypatch.setattr(sys, "stdin", io.StringIO("keep the account\n"))
    for name in ("SACCADE_MODEL", "SERVER", "PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    file = str(COOKBOOK / f"{recipe}.py")
    if recipe in APART:
        printed = subprocess.run([sys.executable, file], stdout=subprocess.PIPE, text=True, check=True).stdout
    else:
        runpy.run_path(file, run_name="__main__")
        printed = capsys.readouterr().out
    assert doctest.OutputChecker().check_output(said(recipe), printed, doctest.ELLIPSIS), printed


def test_the_list_of_recipes_is_whole():
    text = (COOKBOOK / "README.md").read_text("utf-8")
    assert sorted(re.findall(r"\]\((\w+)\.py\)", text)) == sorted([*RECIPES, "stage"])
    assert len(RECIPES) == 12


def test_output_that_differs_is_found():
    check = doctest.OutputChecker().check_output
    assert check("1. ...\n", "1. Click 'Help'\n", doctest.ELLIPSIS)
    assert not check(said("tabs"), said("tabs").replace("paper", "brass"), doctest.ELLIPSIS)
