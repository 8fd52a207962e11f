import json
import math
from collections import Counter
from typing import Any

import pytest
import torch
from saccade.errors import CheckpointError, InputError
from saccade.model.sampling import Sampler, Sampling, likeliest, probabilities
from torch import Tensor

LOGITS = torch.tensor([0.0, 3.0, 1.0, 2.0, -1.0])


def kept(logits: Tensor, **settings) -> list[int]:
    return probabilities(logits, Sampling(temperature=1.0, **settings)).nonzero().flatten().tolist()


def test_greedy_takes_the_most_likely():
    assert Sampler(Sampling()).choose(LOGITS)[0] == 1


def test_filters_keep_what_they_say():
    assert kept(LOGITS, top_k=2) == [1, 3]
    assert kept(LOGITS, top_k=99) == [0, 1, 2, 3, 4]
    assert kept(LOGITS, top_p=1e-9) == [1]
    assert kept(LOGITS, top_p=0.7) == [1, 3]
    assert kept(LOGITS, min_p=0.2) == [1, 3]
    assert kept(LOGITS, min_p=1.0) == [1]


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7},
        {"temperature": 1.3, "top_k": 7},
        {"temperature": 0.6, "top_p": 0.95, "top_k": 20},
        {"top_p": 0.5, "min_p": 0.05},
    ],
)
def test_equals_transformers(settings: dict):
    from transformers.generation import logits_process as theirs

    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **settings}
    logits = torch.randn(50, generator=torch.Generator().manual_seed(1)) * 3
    warpers: list[Any] = [theirs.TemperatureLogitsWarper(settings["temperature"])]
    warpers += [theirs.TopKLogitsWarper(settings["top_k"])] if settings["top_k"] else []
    warpers += [theirs.TopPLogitsWarper(settings["top_p"])] if settings["top_p"] < 1 else []
    warpers += [theirs.MinPLogitsWarper(settings["min_p"])] if settings["min_p"] else []
    scores = logits[None]
    for warper in warpers:
        scores = warper(None, scores)
    assert torch.allclose(probabilities(logits, Sampling(**settings)), scores[0].softmax(-1), atol=1e-6)


def test_repetition_penalty_equals_transformers():
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    logits, seen = torch.randn(20), [3, 5, 5, 9]
    theirs: Any = RepetitionPenaltyLogitsProcessor(1.3)
    expected = theirs(torch.tensor([seen]), logits[None].clone())[0]
    sampler = Sampler(Sampling(repetition_penalty=1.3), prompt=seen[:2])
    for token in seen[2:]:
        sampler.accept(token)
    assert torch.equal(sampler._penalised(logits), expected)


def test_presence_penalty_looks_at_the_answer_alone():
    sampler = Sampler(Sampling(presence_penalty=2.5), prompt=[1])
    assert sampler.choose(LOGITS)[0] == 1
    for token in (1, 1):
        sampler.accept(token)
    assert sampler.choose(LOGITS)[0] == 3  # 3 - 2.5 < 2, however often it came


def test_a_seed_repeats_and_frequencies_fit():
    settings = Sampling(temperature=1.0, seed=7)
    first, second = (Sampler(settings) for _ in range(2))
    draws = [first.choose(LOGITS)[0] for _ in range(2000)]
    assert draws == [second.choose(LOGITS)[0] for _ in range(2000)]
    share = Counter(draws)[1] / 2000
    assert abs(share - LOGITS.softmax(-1)[1].item()) < 0.04


def test_the_logits_given_are_not_changed():
    before, sampler = LOGITS.clone(), Sampler(Sampling(1.0, 2, 0.9, 0.1, 1.5, 1.2, 0), prompt=[1])
    sampler.accept(sampler.choose(LOGITS)[0])
    sampler.choose(LOGITS)[0]
    assert torch.equal(before, LOGITS)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1},
        {"top_p": 0},
        {"top_p": 1.1},
        {"min_p": 2},
        {"top_k": -1},
        {"repetition_penalty": 0},
    ],
)
def test_settings_out_of_range(settings: dict):
    with pytest.raises(InputError, match=next(iter(settings))):
        Sampling(**settings)


def test_defaults_of_a_checkpoint(tmp_path):
    assert Sampling.from_pretrained(tmp_path) == Sampling()
    path = tmp_path / "generation_config.json"
    settings = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": None, "pad_token_id": 3}
    path.write_text(json.dumps({**settings, "do_sample": True}))
    assert Sampling.from_pretrained(tmp_path) == Sampling(temperature=0.6, top_p=0.95, top_k=20)
    path.write_text(json.dumps(settings))
    assert Sampling.from_pretrained(tmp_path).temperature == 0
    for broken in ('{"top_p": 7, "do_sample": true}', '{"top_p": "a"}', "{"):
        path.write_text(broken)
        with pytest.raises(CheckpointError, match=r"generation_config\.json"):
            Sampling.from_pretrained(tmp_path)


def test_frequency_penalty_counts_each_time():
    sampler = Sampler(Sampling(frequency_penalty=0.6))
    chosen = []
    for _ in range(4):  # logits of 1 and 3: 3 and 2, 2.4 and 2, 1.8 and 2, 1.8 and 1.4
        chosen.append(sampler.choose(LOGITS)[0])
        sampler.accept(chosen[-1])
    assert chosen == [1, 1, 3, 1]


def test_logit_bias_bans_and_forces():
    assert Sampler(Sampling(logit_bias=((1, -100.0),))).choose(LOGITS)[0] == 3
    assert Sampler(Sampling(logit_bias=((4, 100.0), (1, -1.0)))).choose(LOGITS)[0] == 4


def test_likeliest_are_the_top_of_what_is_allowed():
    chances = LOGITS - LOGITS.logsumexp(-1)
    assert likeliest(LOGITS, None, 2) == ((1, chances[1].item()), (3, chances[3].item()))
    allowed = torch.tensor([True, False, False, True, False])
    found = likeliest(LOGITS, allowed, 5)
    assert [token for token, _ in found] == [3, 0]
    assert sum(math.exp(logprob) for _, logprob in found) == pytest.approx(1)
