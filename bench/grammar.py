"""Constrained decoding: are random replies always read, and what does a token cost?

    python -m bench grammar [--replies 1000] [--vocabulary 248320] [--json FILE]

Every case writes as many random replies (see `_replies.py`), reads them as the engine does and checks each
value. Costs are CPU time per token: the mask, the search for forced text, and taking a token.
"""

import argparse
import json
import platform
import random
import statistics
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter, thread_time

from rich.console import Console
from rich.table import Table
from saccade.model.constraint import Constraint
from saccade.model.grammar import Grammars
from saccade.model.vocabulary import Vocabulary
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from bench import _replies as replies

console = Console(width=160)
STEPS = ("mask", "forced", "accept")
PHASES = ("thinking", "answer")
LONGEST_THOUGHT = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--replies", type=int, default=1_000, help="random replies per case")
    parser.add_argument("--vocabulary", type=int, default=248_320, help="tokens of the large vocabulary")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    failures = [count_failures(case, options.replies) for case in replies.CASES]
    show("Random replies", failures)
    vocabularies = {"built-in": replies.builtin(), "synthetic": large(options.vocabulary)}
    costs = [row for name, it in vocabularies.items() for row in measure(name, it)]
    show("Cost in microseconds of one core, median and 99th percentile", costs)
    results = {"machine": machine(), "date": date.today().isoformat(), "replies": failures, "costs": costs}
    print(json.dumps(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    if any(row["failures"] for row in failures):
        raise SystemExit("a reply could not be read")


def count_failures(case: replies.Case, n: int) -> dict:
    start, failed, tokens = perf_counter(), 0, 0
    grammar = case.compile()
    for seed in range(n):
        try:
            tokens += case.write(grammar, seed)
        except AssertionError as error:
            failed += 1
            console.print(f"[red]{error}[/red]", markup=False)
    return {
        "case": case.name,
        "replies": n,
        "failures": failed,
        "tokens": tokens,
        "seconds": round(perf_counter() - start, 1),
    }


def large(size: int) -> Vocabulary:
    """Byte-level BPE of so many made-up words: pairs of known pieces, merged at random."""
    rng = random.Random(0)
    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab, merges = {piece: i for i, piece in enumerate(pieces)}, []
    letters = [*"etaoinshrdlucmfwypvbgkqjxz", "Ġ"]
    size -= len(replies.CONTROL) + len(replies.MARKUP)
    while len(vocab) < size:
        left = rng.choice(pieces if rng.random() < 0.5 else letters)
        right = rng.choice(pieces[:4000] if rng.random() < 0.5 else letters)
        if left + right not in vocab and len(left + right) <= 16:
            vocab[left + right] = len(vocab)
            pieces.append(left + right)
            merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    replies.add_markup(tokenizer)
    return replies.vocabulary(tokenizer)


def measure(name: str, vocabulary: Vocabulary, walks: int = 100) -> Iterator[dict]:
    """Per phase of a reply, the time of each step; compiling and starting once each."""
    start = thread_time()
    grammar = Grammars(vocabulary).calls(replies.COMPUTER, thinking=True)
    compiled = thread_time()
    Constraint(grammar)
    once = {"compile": round((compiled - start) * 1e6), "start": round((thread_time() - compiled) * 1e6)}
    times: dict[str, dict[str, list[float]]] = {phase: {step: [] for step in STEPS} for phase in PHASES}
    for seed in range(walks):
        walk(Constraint(grammar, LONGEST_THOUGHT, closing=""), vocabulary, random.Random(seed), times)
    for phase, steps in times.items():
        row: dict = {"vocabulary": f"{name}, {vocabulary.size}", "phase": phase, **once}
        for step, each in steps.items():
            row[step] = round(statistics.median(each) * 1e6, 1)
            row[f"{step} p99"] = round(sorted(each)[int(len(each) * 0.99)] * 1e6, 1)
        yield {**row, "tokens": len(steps["accept"])}


def walk(constraint: Constraint, vocabulary: Vocabulary, rng: random.Random, times: dict) -> None:
    """One random reply, timed step by step."""
    while not constraint.finished:
        steps = times[PHASES[not constraint.thinking]]
        start = thread_time()
        tokens = constraint.forced()
        steps["forced"].append(thread_time() - start)
        if not tokens:
            start = thread_time()
            constraint.mask()
            steps["mask"].append(thread_time() - start)
            tokens = replies.choose(vocabulary, constraint, rng)
        for token in tokens:
            start = thread_time()
            constraint.accept(token)
            steps["accept"].append(thread_time() - start)


def show(title: str, rows: list[dict]) -> None:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)


def machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{len(names)} cores of {names[0].partition(': ')[2]}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
