"""Who runs when: one worker thread owns the network, and `step` tells all that it does.

Knows sequences and sizes; knows nothing of messages, text or files.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Sequence as Many
from functools import partial
from itertools import groupby

import torch

from ..errors import CapacityError, QueueFullError
from .batch import Batches
from .memory import human, state_bytes
from .pictures import Picture, PictureCache
from .prefixes import PrefixCache, Snapshot
from .request import Limits
from .sequence import Sequence
from .speculation import Picker, looked_up
from .vlm import VisionLanguageModel

IDLE_S = 5.0  # then the thread ends; the next request starts another
ALONE = 4  # chunks in one go when nobody waits for the network


class Scheduler:
    def __init__(
        self,
        model: VisionLanguageModel,
        pictures: PictureCache,
        prefixes: PrefixCache,
        limits: Limits,
        memory_bytes: int,
        guesses: int = 0,
        lookups: int = 0,
    ):
        self.model, self.pictures, self.prefixes = model, pictures, prefixes
        self.limits, self.memory_bytes = limits, memory_bytes
        self.guesses, self.lookups = guesses, lookups
        self.steps = 0
        self._batches = Batches(model)
        self._waiting: deque[Sequence] = deque()
        self._reading: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = self._forgetting = False

    def submit(self, sequence: Sequence) -> None:
        """Put it in the queue. Raises QueueFullError, and CapacityError for what could never fit."""
        total = min(sequence.prefill.length + sequence.request.max_tokens, self.model.config.text.max_context)
        sequence.nbytes = state_bytes(self.model, total)
        if sequence.nbytes > self.memory_bytes:
            raise CapacityError(
                f"the states of {total} tokens take {human(sequence.nbytes)} and the engine may use "
                f"{human(self.memory_bytes)}: lower max_tokens, shorten the prompt or raise "
                "Limits.memory_bytes"
            )
        with self._changed:
            if len(self._waiting) >= self.limits.waiting:
                raise QueueFullError(
                    f"{len(self._waiting)} requests are waiting: try again later, or raise Limits.waiting"
                )
            self._waiting.append(sequence)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="saccade-engine", daemon=True)
                self._thread.start()
                atexit.register(self._close)
            self._changed.notify()

    def cancel(self, sequence: Sequence) -> None:
        """End it before the next step; what it held is free then."""
        with self._changed:
            sequence.cancelled = True
            self._changed.notify()

    def forget(self) -> None:
        """Before the next step, drop what is kept of prompts and pictures that have been read."""
        self._forgetting = True

    @torch.inference_mode()
    def step(self) -> None:
        """Let go of the cancelled, admit the next, read a chunk of one prompt, write a token everywhere."""
        if self._forgetting:
            self._forgetting = False
            self.prefixes.shrink(0)
            self.pictures.clear()
        self._drop_cancelled()
        self._admit()
        if self._reading:
            self._read(self._reading[0])
        self._plan()
        for _, group in groupby(sorted(self._running, key=_width), key=_width):
            self._write(tuple(group))
        self.steps += 1

    def _admit(self) -> None:
        """First come, first served; the first one waits until there is memory for it."""
        while self._waiting and len(self._reading) + len(self._running) < self.limits.running:
            with self._changed:
                sequence = self._waiting[0]
                if self._spare_bytes - self._batches.nbytes < sequence.nbytes:
                    self._batches.clear()
                if self._spare_bytes - self._batches.nbytes < sequence.nbytes:
                    return
                self._reading.append(self._waiting.popleft())
            sequence.timings["queue"] = time.perf_counter() - sequence.born
            try:
                sequence.prefill.resume(self.prefixes)
            except Exception as error:
                self._fail([sequence], error)

    def _read(self, sequence: Sequence) -> None:
        """A chunk of its prompt; then the next prompt has its turn."""
        alone = len(self._reading) + len(self._running) + len(self._waiting) == 1
        chunk = self.limits.chunk(self.model.device.type) * (ALONE if alone else 1)
        try:
            with _Clock(sequence, "prefill"):
                sequence.prefill.advance(chunk, partial(self._encode, sequence), self.guesses > 0)
            self._reading.rotate(-1)
            if sequence.prefill.done:
                self._running.append(sequence)  # first there, so that who counts always finds it
                self._reading.remove(sequence)
                sequence.begin()
                self._drop_finished([sequence])
        except Exception as error:
            self._fail([sequence], error)

    def _encode(self, sequence: Sequence, picture: Picture):
        with _Clock(sequence, "vision") as clock:
            features = self.pictures(picture)
        sequence.timings["prefill"] -= clock.seconds
        return features

    def _plan(self) -> None:
        """Let everyone say what to feed; some are at their end already."""
        for sequence in tuple(self._running):
            try:
                sequence.plan(self._guess if self.guesses or self.lookups else None)
            except Exception as error:
                self._fail([sequence], error)
        self._drop_finished(tuple(self._running))

    def _write(self, group: tuple[Sequence, ...]) -> None:
        start = time.perf_counter()
        try:
            self._batches.step(group, self._spare_bytes)
        except Exception as error:
            self._fail(group, error)
        seconds = time.perf_counter() - start
        for sequence in group:
            sequence.timings["decode"] += seconds
        self._drop_finished(group)

    def _guess(self, sequence: Sequence) -> list[int]:
        """What stood before, where it is alone: those that take in unequally many tokens share no forward."""
        room, pick = sequence.request.max_tokens - len(sequence.ids) - 1, Picker(sequence.constraint)
        lookups, guesses = min(self.lookups, room), min(self.guesses, room)
        try:
            alone = lookups > 0 and len(self._running) == 1
            if alone and (found := pick.follow(looked_up(sequence.known(), lookups))):
                return found
            if guesses > 0 and sequence.draft:
                return sequence.draft.guess(self.model, sequence.feed[-1], guesses, pick)
            return []
        finally:
            pick.undo()

    def _drop_cancelled(self) -> None:
        with self._changed:
            gone = [s for s in (*self._waiting, *self._reading, *self._running) if s.cancelled]
            self._waiting = deque(s for s in self._waiting if not s.cancelled)
        for sequence in gone:
            self._forget(sequence)
            sequence.finish("cancelled")

    def _drop_finished(self, sequences: Many[Sequence]) -> None:
        """Let go of those that are done. What they wrote may begin the next prompt, so its state is kept."""
        for sequence in sequences:
            if sequence.finish_reason:
                self._batches.dissolve([sequence])
                if sequence.cache is not None:
                    kept = Snapshot(sequence.cache, sequence.draft)
                    self.prefixes.add(sequence.key(), kept, sequence.prefill.turn)
                self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        self._batches.dissolve([sequence])
        self._reading = deque(s for s in self._reading if s is not sequence)
        self._running = [s for s in self._running if s is not sequence]
        sequence.cache = sequence.draft = None

    def _fail(self, sequences: Many[Sequence], error: Exception) -> None:
        """These end with the error; the others, and the engine, go on."""
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            error = CapacityError(f"memory ran out ({error}): send fewer requests at a time, or shorter ones")
        for sequence in sequences:
            self._forget(sequence)
            sequence.fail(error)

    def _work(self) -> None:
        while self._has_work():
            self.step()
        atexit.unregister(self._close)

    def _close(self) -> None:
        """Python is about to end: let the step that runs finish, for a thread cut off in torch aborts."""
        worker, self._closing = self._thread, True
        with self._changed:
            self._changed.notify()
        if worker is not None:
            worker.join()

    def _has_work(self) -> bool:
        """Wait for work. False, and the thread is gone, when none came for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self.busy or self._closing, IDLE_S)
            if self._closing or not self.busy:
                self._thread = None
                return False
        return True

    @property
    def _spare_bytes(self) -> int:
        """For a static cache, or one more sequence. Who sits in such a cache counts here as well: on the way
        in and out both hold the state."""
        return self.memory_bytes - sum(other.nbytes for other in (*self._reading, *self._running))

    @property
    def counts(self) -> dict[str, int]:
        """How many sequences wait, are read, are written."""
        waiting, reading, writing = len(self._waiting), len(self._reading), len(self._running)
        return {"waiting": waiting, "reading": reading, "writing": writing}

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._reading or self._running)


def _width(sequence: Sequence) -> tuple[int, int]:
    """What must be equal for two sequences to share a forward."""
    return len(sequence.feed), sequence.guessed


class _Clock:
    """Adds the seconds of a block to a phase of the sequence."""

    def __init__(self, sequence: Sequence, phase: str):
        self.sequence, self.phase, self.seconds = sequence, phase, 0.0

    def __enter__(self) -> "_Clock":
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._start
        self.sequence.timings[self.phase] += self.seconds
