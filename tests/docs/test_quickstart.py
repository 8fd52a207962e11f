"""What the documents tell a newcomer to type works: commands and options exist, the README's program runs,
and its numbers are those of the log.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from shop.server import Shop

ROOT = Path(__file__).parents[2]
OPTIONS = json.loads((ROOT / "tests" / "ui" / "options.json").read_text("utf-8"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, list[str]]]:
    """Every `saccade ...` of every block of shell, and of every line of text that shows one."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        inline = re.findall(r"`(saccade [^`\n]+)`", text) if document.name != "LOG.md" else []
        lines = [line for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
        for line in [*lines, *inline]:
            for part in re.split(r"\s[|>]\s|\$\(|\)|;", line):
                if match := re.search(r"(?:^|\s)saccade (.*)", part.split(" #")[0]):
                    found.append((document.name, shlex.split(match[1].strip(' "'))))
    return found


def command_of(words: list[str]) -> str:
    """`runs list`, `run`; what follows are arguments and options."""
    names = ["saccade"]
    for word in words:
        if " ".join([*names, word]) not in OPTIONS:
            break
        names.append(word)
    return " ".join(names)


def wrong(words: list[str]) -> list[str]:
    name = command_of(words)
    known = {option for it in OPTIONS[name]["parameters"] for option in it["names"]}
    known |= {option for it in OPTIONS["saccade"]["parameters"] for option in it["names"]} | {"--help"}
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


def test_commands_and_options_of_the_documents_exist():
    found = commands()
    assert len(found) > 40
    for document, words in found:
        placeholder = words[0].isupper() or words[0].startswith("--")  # `saccade COMMAND --help`
        assert placeholder or command_of(words) != "saccade", f"{document}: saccade {' '.join(words)}"
        if "bench" not in words[:1]:
            assert placeholder or not wrong(words), f"{document}: saccade {' '.join(words)}"


def test_an_option_that_does_not_exist_is_found():
    assert wrong(["run", "Go", "--url", "x", "--quantise", "int8"]) == ["--quantise"]
    assert command_of(["runs", "show", "RUN"]) == "saccade runs show"


def test_the_readmes_program_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any):
    """With the model that ships; what it achieves is another matter."""
    (program,) = blocks(README, "python")
    monkeypatch.chdir(tmp_path)
    with Shop() as shop:
        here = program.replace("http://127.0.0.1:8000", shop.url).replace("browser=", "max_steps=1, browser=")
        assert shop.url in here
        exec(compile(here, "README.md", "exec"), {})
    assert re.fullmatch(r"(True|False) .+ runs/\S+\n", capsys.readouterr().out)
    assert list(tmp_path.glob("runs/*/journal.jsonl"))


def test_the_readmes_numbers_are_in_the_log():
    table = README.partition("## Measured")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| ") and "`" in row]
    log = " ".join((ROOT / "docs" / "LOG.md").read_text("utf-8").split())
    assert len(rows) > 5
    for row in rows:
        for number in re.findall(r"\d[\d.,]*\d", " ".join(row[1:4])):
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", log), (number, row)
