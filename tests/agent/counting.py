"""A scripted model that counts the tokens of its prompts, and those that an exact prefix cache would hold."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from saccade.agent import Preferences, Reply, ScriptedModel, Usage

Atom = tuple[Any, int]


def atoms(messages: list[dict]) -> list[Atom]:
    """The prompt as (what stands there, its tokens); equal atoms in equal places are cached."""
    found: list[Atom] = []
    for message in messages:
        found.append((("role", message["role"]), 4))
        parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        for part in parts:
            if "image" in part:
                found.append((id(part["image"]), part["image"].width * part["image"].height // 1024))
            else:
                found.append((part["text"], len(part["text"]) // 4 + 1))
        turn = f"{message.get('reasoning_content', '')}{message.get('tool_calls', '')}"
        found.append((turn, len(turn) // 4))
    return found


class CountingModel(ScriptedModel):
    def __init__(self, script: Iterable[Any], preferences: Preferences):
        super().__init__(script, preferences)
        self.usages: list[Usage] = []
        self._before: list[Atom] = []

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Reply:
        self.seen.clear()  # memory must stay flat
        reply = await super().reply(messages, tools, thinking)
        now = atoms(messages)
        same = next((i for i, (a, b) in enumerate(zip(now, self._before, strict=False)) if a != b), None)
        same = min(len(now), len(self._before)) if same is None else same
        cached = sum(tokens for _, tokens in now[:same])
        usage = Usage(sum(tokens for _, tokens in now), cached, 0, 40)
        self._before = now
        self.usages.append(usage)
        return replace(reply, usage=usage)

    def hit_rate(self, first: int = 2) -> float:
        """The cached share of all prompt tokens from step `first` (0-based) on."""
        usages = self.usages[first:]
        return sum(usage.cached_tokens for usage in usages) / sum(usage.prompt_tokens for usage in usages)
