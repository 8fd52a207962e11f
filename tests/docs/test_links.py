"""Links, named tests and named files of every document lead somewhere. Other hosts are not asked."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"|srcset=\"([^\"]+)\"")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROOMS = "agent|bench|docs|evals|examples|model|tests|tools|train|ui|vision"
NAMED_FILE = re.compile(rf"`((?:{ROOMS})/[\w/.-]+\.(?:c|css|gif|h|jinja|js|json|md|py|svg|toml))`")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


NOT_OURS = ("build", "dist", "runs", "heldout", "node_modules")


@cache
def documents() -> list[Path]:
    found = (file.relative_to(ROOT) for file in ROOT.rglob("*.md"))
    return sorted(ROOT / it for it in found if not it.parts[0].startswith((".", *NOT_OURS)))


def anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(document: Path) -> Iterator[str]:
    text = FENCED.sub("", document.read_text("utf-8"))
    for groups in LINK.findall(text):
        link = "".join(groups)
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists():
            yield f"{link} leads nowhere"
        elif anchor and anchor not in anchors(target):
            yield f"{link}: there is no such heading"


@pytest.mark.parametrize("document", documents(), ids=lambda it: str(it.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    text = document.read_text("utf-8")
    found = list(broken(document))
    for file, test in NAMED_TEST.findall(text):
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text("utf-8"):
            found.append(f"there is no {file}::{test}")
    if document.name not in ("LOG.md", "CHANGELOG.md"):  # these tell of what was
        found += [f"there is no {name}" for name in NAMED_FILE.findall(text) if not (ROOT / name).exists()]
    assert not found


def test_every_document_is_linked_from_the_start():
    waiting, seen = [ROOT / "README.md"], set()
    while waiting:
        document = waiting.pop()
        if document in seen or not document.exists():
            continue
        seen.add(document)
        links = ("".join(groups).split("#")[0] for groups in LINK.findall(document.read_text("utf-8")))
        waiting += [(document.parent / link).resolve() for link in links if link.endswith(".md")]
    assert {it.resolve() for it in documents()} <= {it.resolve() for it in seen}


def test_a_broken_link_is_found(tmp_path: Path):
    document = tmp_path / "a.md"
    document.write_text("# One two\n[x](b.md) [y](#one-two) [z](#three) [w](https://example.com)\n")
    assert list(broken(document)) == ["b.md leads nowhere", "#three: there is no such heading"]
