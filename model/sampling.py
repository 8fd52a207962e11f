"""Logits -> the next token: penalties, temperature, top-k, top-p, min-p, a seeded generator.

Knows one sequence at a time; knows nothing of models or text. Shapes: V vocabulary.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError, InputError
from .chat import read_json


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 takes the most likely token; top_k 0, top_p 1 and min_p 0 keep all tokens.

    Penalties lower the logits of what was written: once (presence), for each time (frequency), by a factor
    (repetition). `logit_bias` holds (token, what is added to its logit).
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        limits = {
            "temperature": self.temperature >= 0,
            "top_k": self.top_k >= 0,
            "top_p": 0 < self.top_p <= 1,
            "min_p": 0 <= self.min_p <= 1,
            "repetition_penalty": self.repetition_penalty > 0,
        }
        for name, holds in limits.items():
            if not holds:
                raise InputError(f"{name} {getattr(self, name)} is out of range")

    @classmethod
    def from_pretrained(cls, folder: str | Path, mode: str | None = None) -> "Sampling":
        """The defaults of generation_config.json; greedy when there is none or `do_sample` is not set.

        The file may hold an object under the name of a `mode` of thinking ("fast", "deep"), which wins over
        its other keys.
        """
        path = Path(folder) / "generation_config.json"
        raw = read_json(path)
        special = raw.get(mode) if mode else None
        raw |= special if isinstance(special, dict) else {}
        names = {field.name for field in fields(cls)} - {"seed", "logit_bias"}
        given = {name: raw[name] for name in names if raw.get(name) is not None}
        try:
            read = replace(cls(temperature=1.0), **given)
        except (InputError, TypeError) as error:
            raise CheckpointError(f"{path}: {error}") from None
        return read if raw.get("do_sample") else replace(read, temperature=0.0)


class Sampler:
    """Chooses tokens one by one; penalties look back at those accepted.

    The tokens of the prompt count for the repetition penalty alone.
    """

    def __init__(
        self, sampling: Sampling, prompt: Sequence[int] | np.ndarray = (), device: str | torch.device = "cpu"
    ):
        self.sampling, self._device = sampling, device
        self._generator = torch.Generator(device)
        if sampling.seed is not None:
            self._generator.manual_seed(sampling.seed)
        else:
            self._generator.seed()
        self._prompt = set(np.unique(prompt).tolist()) if sampling.repetition_penalty != 1 else set()
        self._generated: Counter[int] = Counter()

    def choose(
        self, logits: Tensor, allowed: Tensor | None = None, logprob: bool = False
    ) -> tuple[int, float | None]:
        """logits [V] -> a token among those `allowed` [V], which counts only once it is accepted.

        With it, if asked for, the natural log of its probability before penalties and temperature.
        """
        logits = logits.float()
        if allowed is not None:
            logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        token = self._draw(self._penalised(logits))
        return token, float(logits[token] - logits.logsumexp(-1)) if logprob else None

    def _draw(self, logits: Tensor) -> int:
        if self.sampling.temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial(probabilities(logits, self.sampling), 1, generator=self._generator))

    def accept(self, token: int) -> None:
        """Take a token, chosen here or forced, into what the penalties look back at."""
        self._generated[token] += 1

    def _penalised(self, logits: Tensor) -> Tensor:
        settings = self.sampling
        if settings.repetition_penalty != 1:
            seen = _index(self._prompt | self._generated.keys(), logits)
            scores = logits[seen]
            factor = settings.repetition_penalty
            logits = logits.index_put((seen,), torch.where(scores > 0, scores / factor, scores * factor))
        if settings.presence_penalty and self._generated:
            seen = _index(self._generated, logits)
            logits = logits.index_put((seen,), logits[seen] - settings.presence_penalty)
        if settings.frequency_penalty and self._generated:
            seen = _index(self._generated, logits)
            times = torch.tensor([self._generated[token] for token in seen.tolist()], device=logits.device)
            logits = logits.index_put((seen,), logits[seen] - settings.frequency_penalty * times)
        if settings.logit_bias:
            tokens, added = self._bias
            logits = logits.index_put((tokens,), logits[tokens] + added)
        return logits

    @cached_property
    def _bias(self) -> tuple[Tensor, Tensor]:
        """Tokens and what is added to their logits, where the logits are."""
        tokens, added = zip(*self.sampling.logit_bias, strict=True)
        return torch.tensor(tokens, device=self._device), torch.tensor(added, device=self._device)


def likeliest(logits: Tensor, allowed: Tensor | None, count: int) -> tuple[tuple[int, float], ...]:
    """logits [V] -> the likeliest of the tokens `allowed` [V] and the natural logs of their probabilities,
    before penalties and temperature.
    """
    logits = logits.float()
    if allowed is not None:
        logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        count = min(count, int(allowed.sum()))
    values, tokens = (logits - logits.logsumexp(-1)).topk(min(count, logits.shape[-1]))
    return tuple(zip(tokens.tolist(), values.tolist(), strict=True))


def probabilities(logits: Tensor, settings: Sampling) -> Tensor:
    """logits [V] -> probabilities [V]: temperature first, then top-k, top-p and min-p, in that order."""
    scaled = logits.float() / settings.temperature
    if 0 < settings.top_k < scaled.shape[-1]:
        scaled = scaled.masked_fill(scaled < scaled.topk(settings.top_k).values[-1], -torch.inf)
    if settings.top_p < 1:
        ordered, order = scaled.softmax(-1).sort(descending=True)
        beyond = ordered.cumsum(-1) - ordered >= settings.top_p
        scaled = scaled.index_fill(-1, order[beyond], -torch.inf)
    if settings.min_p:
        chances = scaled.softmax(-1)
        scaled = scaled.masked_fill(chances < settings.min_p * chances.max(), -torch.inf)
    return scaled.softmax(-1)


def _index(tokens: Iterable[int], logits: Tensor) -> Tensor:
    return torch.tensor(sorted(tokens), dtype=torch.long, device=logits.device)
