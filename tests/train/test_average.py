"""Averaged weights follow those that are trained, are worn where those lie, and outlast a unit."""

from argparse import Namespace
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import nn

from train.average import Average
from train.team import Team
from train.train import _resume, _save


def filled(value: float) -> Any:
    """In place of what is trained."""
    layer = nn.Linear(2, 1)
    return set_to(layer, value)


@torch.no_grad()
def set_to(layer: nn.Linear, value: float) -> nn.Linear:
    for p in layer.parameters():
        p.fill_(value)
    return layer


def test_the_first_steps_count_little_and_later_ones_by_the_decay():
    layer = filled(0.0)
    average = Average(layer, 0.5)
    set_to(layer, 1.0)
    average.add()
    assert average.values[0].mean() == pytest.approx(0.9)  # 1 - 1/10
    for _ in range(30):
        average.add()
    set_to(layer, 3.0)
    before = float(average.values[0].mean())
    average.add()
    assert average.values[0].mean() == pytest.approx((before + 3) / 2)


def test_averages_are_worn_in_place_and_taken_off_again():
    layer = filled(1.0)
    average, places = Average(layer, 0.9), [p.data_ptr() for p in layer.parameters()]
    set_to(layer, 2.0)
    with suppress(ZeroDivisionError), average.worn():
        assert layer.bias.item() == 1.0
        assert [p.data_ptr() for p in layer.parameters()] == places
        raise ZeroDivisionError
    assert layer.bias.item() == 2.0
    assert float(average.values[1]) == 1.0
    assert all(p.requires_grad for p in layer.parameters())


def test_a_unit_hands_over_weights_and_averages_and_brings_home_the_averages(tmp_path, monkeypatch):
    home = {}
    monkeypatch.setattr("train.train.save_shards", lambda layer, _: home.update(bias=layer.bias.item()))
    args = Namespace(state=tmp_path, out=tmp_path / "out", compile=False, init=None, shape="p10")
    layer = filled(1.0)
    average = Average(layer, 0.5)
    progress = _resume(args, Team(), layer, [], average)
    set_to(layer, 2.0)
    average.add()
    _save(args, layer, [], progress, average)
    assert home["bias"] == pytest.approx(1.9)
    again = filled(7.0)
    later = Average(again, 0.5)
    assert _resume(args, Team(), again, [], later) == progress
    assert again.bias.item() == 2.0
    assert float(later.values[1]) == pytest.approx(1.9)
    assert later.steps == 1
    assert not any(v.requires_grad for v in later.values)


def test_a_state_without_averages_begins_them_with_its_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("train.train.save_shards", lambda *_: None)
    args = Namespace(state=tmp_path, out=tmp_path / "out", compile=False, init=None, shape="p10")
    progress = _resume(args, Team(), filled(0.0), [])
    _save(args, filled(4.0), [], progress)
    again = filled(0.0)
    average = Average(again, 0.5)
    _resume(args, Team(), again, [], average)
    assert float(average.values[0].mean()) == 4.0
