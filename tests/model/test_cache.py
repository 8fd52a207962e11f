"""States as values: appending in place never shows, forks diverge and return, what is shared counts once."""

import pytest
import torch
from saccade.model.cache import SPARE_SLOTS, AttentionState, HybridCache, KVBuffer, slots
from saccade.model.decoder import ALL, LAST
from torch import Tensor

from . import tiny
from .conftest import Pair
from .test_parity import difference, positions


def kv(tokens: int, seed: int = 0) -> Tensor:
    return torch.randn(1, 2, tokens, 4, generator=torch.Generator().manual_seed(seed))


def grown(*pieces: int) -> AttentionState:
    first, *rest = (kv(n, seed) for seed, n in enumerate(pieces))
    state = AttentionState.of(first, -first)
    for x in rest:
        state = state.append(x, -x)
    return state


def test_appending_equals_concatenating():
    pieces = (3, 1, 1, 300, 1, 500, 2)
    whole = torch.cat([kv(n, seed) for seed, n in enumerate(pieces)], dim=2)
    state = grown(*pieces)
    assert torch.equal(state.keys, whole)
    assert torch.equal(state.values, -whole)


def test_appending_is_in_place_until_a_fork_needs_its_own():
    trunk = grown(5, 1)
    one = trunk.append(kv(2, 7), kv(2, 7))
    assert one.buffer is trunk.buffer
    other = trunk.append(kv(2, 8), kv(2, 8))
    assert other.buffer is not trunk.buffer
    assert torch.equal(one.keys[:, :, 6:], kv(2, 7))
    assert torch.equal(other.keys[:, :, 6:], kv(2, 8))
    assert torch.equal(other.keys[:, :, :6], trunk.keys)


def test_what_nobody_needs_is_written_over():
    trunk = grown(5, 1)
    trunk.append(kv(2, 7), kv(2, 7))  # dropped at once
    assert trunk.append(kv(3, 8), kv(3, 8)).buffer is trunk.buffer


def test_a_shorter_state_protects_what_it_still_needs():
    long = grown(5, 1).append(kv(4, 7), kv(4, 7))
    short = long.without([3])
    trunk = short.without([1])
    del long
    other = trunk.append(kv(1, 9), kv(1, 9))
    assert torch.equal(short.keys[:, :, 6:], kv(4, 7)[:, :, :1])
    assert torch.equal(other.keys[:, :, 6:], kv(1, 9))


def test_tensors_of_others_are_never_written_into():
    given = kv(4)
    before, state = given.clone(), AttentionState.of(given, given)
    state.without([2]).append(kv(1, 3), kv(1, 3))
    assert torch.equal(given, before)


def test_a_gradient_keeps_the_old_way():
    given = kv(2).requires_grad_()
    state = AttentionState.of(given, given).append(kv(1, 1), kv(1, 1)).append(kv(1, 2), kv(1, 2))
    state.keys.square().sum().backward()
    assert given.grad is not None
    assert torch.equal(given.grad, 2 * given.detach())


def test_buffers_grow_geometrically():
    state, allocated = grown(1, 1), set()
    for seed in range(5000):
        state = state.append(kv(1, seed), kv(1, seed))
        allocated.add(state.buffer.keys.shape[2])
    assert len(allocated) < 12
    assert state.buffer.keys.shape[2] < 2 * 5002


def test_buffers_have_few_sizes_and_little_to_spare():
    """So that the allocator of a GPU finds a block that another buffer left."""
    lengths = range(1, 40_000, 7)
    sizes = [slots(tokens) for tokens in lengths]
    assert len(set(sizes)) < 64
    assert all(n + SPARE_SLOTS <= size for n, size in zip(lengths, sizes, strict=True))
    assert all(
        size <= max(n + SPARE_SLOTS, n * 5 // 4) * 9 / 8 for n, size in zip(lengths, sizes, strict=True)
    )


def prefilled(pair: Pair, ids: Tensor) -> HybridCache:
    cache = pair.ours.empty_cache()
    pair.ours(ids, positions(pair, ids), cache)
    return cache


@torch.no_grad()
def test_a_ragged_batch_equals_its_rows(pair: Pair):
    """Two joined steps of three tokens and one, on sequences of three lengths, then apart again."""
    lengths = (5, 70, 129)
    caches = [prefilled(pair, tiny.prompt([], 1, n, seed=n)) for n in lengths]
    alone = [cache.fork() for cache in caches]
    joined, steps = HybridCache.joined(caches), (tiny.prompt([], 1, 3, 1), tiny.prompt([], 1, 1, 2))
    seen = 0
    for step in steps:
        tokens = step.shape[1]
        rows = torch.stack([torch.arange(n + seen, n + seen + tokens) for n in lengths]).expand(3, -1, -1)
        together = pair.ours(step.expand(3, -1), rows, joined)
        apart = [pair.ours(step, rows[:, i : i + 1], cache) for i, cache in enumerate(alone)]
        assert difference(together, torch.cat(apart)) < pair.tolerance
        seen += tokens
    split = joined.split([n + seen for n in lengths])
    for one, other, n in zip(split, alone, lengths, strict=True):
        row = torch.full((3, 1, 1), n + seen)
        step = tiny.prompt([], 1, 1, 3)
        assert one.length == other.length
        assert difference(pair.ours(step, row, one), pair.ours(step, row, other)) < pair.tolerance


@torch.no_grad()
def test_taking_back_equals_never_having_fed(pair: Pair):
    """For every count, also different ones in one batch; the states on the way are exact."""
    prompt, draft = tiny.prompt([], 1, 66), tiny.prompt([], 1, 6, 9)
    row = torch.arange(66, 72).expand(3, 1, -1)
    for back in range(6):
        cache = prefilled(pair, prompt)
        pair.ours(draft, row, cache)
        expected = prefilled(pair, prompt)
        pair.ours(draft[:, : 6 - back], row[..., : 6 - back], expected)
        returned = cache.without([back])
        step, at = tiny.prompt([], 1, 2, 4), torch.arange(72 - back, 74 - back).expand(3, 1, -1)
        assert returned.length == expected.length
        assert difference(pair.ours(step, at, returned), pair.ours(step, at, expected)) < pair.tolerance
    joined = HybridCache.joined([prefilled(pair, prompt), prefilled(pair, prompt)])
    pair.ours(draft.expand(2, -1), row.expand(-1, 2, -1), joined)
    one, other = joined.without([4, 1]).split([68, 71])
    for cache, n in ((one, 68), (other, 71)):
        expected = prefilled(pair, prompt)
        pair.ours(draft[:, : n - 66], row[..., : n - 66], expected)
        step, at = tiny.prompt([], 1, 1, 4), torch.full((3, 1, 1), n)
        assert difference(pair.ours(step, at, cache), pair.ours(step, at, expected)) < pair.tolerance


@torch.no_grad()
def test_a_kept_state_does_not_keep_the_steps_before_it(hybrid: Pair):
    cache = prefilled(hybrid, tiny.prompt([], 1, 6))
    assert any(getattr(state, "earlier", ()) for state in cache.layers)
    assert not any(getattr(state, "earlier", ()) for state in cache.fork().layers)


def test_bytes_are_those_of_the_buffers():
    buffer = KVBuffer(kv(10), kv(10))
    cache = HybridCache([AttentionState(buffer, 10), None], 10)
    assert cache.nbytes() == 2 * kv(10).nbytes


@torch.no_grad()
def test_attention_behind_a_prefix_equals_the_masked_one():
    from saccade.model.kernels import cpu, reference

    torch.manual_seed(0)
    for heads, groups, new, seen in ((4, 2, 5, 6), (6, 6, 64, 65), (8, 1, 63, 200), (4, 2, 2, 1000)):
        q = torch.randn(2, heads, new, 16)
        k, v = torch.randn(2, 2, groups, seen, 16).unbind()
        expected = reference.causal_attention(q, k, v)
        assert difference(cpu.attention_behind_prefix(q, k, v), expected) < 1e-5


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 65])
def test_the_last_token_alone_equals_the_last_of_all(pair: Pair, tokens: int):
    """Its state; and the cache takes in the others all the same, whatever kind the last layer is."""
    decoder, generator = pair.ours.language_model, torch.Generator().manual_seed(tokens)
    width = pair.ours.config.text.hidden_size
    x, tap, after = (torch.randn(2, n, width, generator=generator) for n in (tokens, tokens, 1))
    positions, padding = torch.arange(tokens).expand(3, 2, -1), torch.tensor([0, tokens // 2])
    layers = list(decoder.layers)
    try:
        with torch.inference_mode():
            for end in range(1, len(layers) + 1):
                decoder.layers = torch.nn.ModuleList(layers[:end])
                states = []
                for rows in (ALL, LAST):
                    cache = pair.ours.empty_cache(padding)
                    states.append(decoder(x, positions, cache, [tap] * end, rows)[:, -1:])
                    states.append(decoder(after, positions[..., :1] + tokens, cache))
                assert states[2].shape[1] == 1
                for ours, expected in zip(states[2:], states[:2], strict=True):
                    assert (ours - expected).abs().max() < 1e-5
    finally:
        decoder.layers = torch.nn.ModuleList(layers)


@torch.no_grad()
@pytest.mark.parametrize("cut", [1, 5, 64, 70])
def test_the_state_on_the_way_equals_the_state_at_an_end(hybrid: Pair, cut: int):
    """A forward that keeps it is one forward, and goes on as if nothing had been kept."""
    prompt, decoder = tiny.prompt([], 1, 75), hybrid.ours.language_model
    whole, halves = hybrid.ours.empty_cache(), hybrid.ours.empty_cache()
    x, places = decoder.embed_tokens(prompt), torch.arange(75).expand(3, 1, -1)
    out = decoder(x, places, whole, cut=cut)
    first = decoder(x[:, :cut], places[..., :cut], halves)
    kept, expected = whole.split_off(75 - cut), halves.fork()
    second = decoder(x[:, cut:], places[..., cut:], halves)
    assert (kept.length, whole.length) == (cut, 75)
    assert difference(out, torch.cat((first, second), dim=1)) < hybrid.tolerance
    step, at = tiny.prompt([], 1, 2, 4), torch.arange(2).expand(3, 1, -1)
    for ours, theirs, length in ((kept, expected, cut), (whole, halves, 75)):
        got, wanted = (hybrid.ours(step, at + length, cache) for cache in (ours, theirs))
        assert difference(got, wanted) < hybrid.tolerance
    assert all(state.midway is None for state in whole.layers if hasattr(state, "midway"))
