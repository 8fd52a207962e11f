"""The caller's end of a reply: iterate over it, await it, or stop it. Knows queues; computes nothing."""

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable

from .chat import Prompt
from .request import Done, Event, Failed, ModelReply, Piece, Signal
from .sequence import Sequence

# (where signals go, whether pieces too) -> the sequences that may run for it
Start = Callable[[Callable[[Signal], None], bool], Iterable[Sequence]]


class Generation:
    """Iterating starts the work: `for` gives pieces, `events()` and `async for` give all events.

    `finish()` and `await generation.result()` give the whole reply, which is kept in `reply`. `stop()`, from
    any thread, ends it early. Errors of the request (ContextError, InputError, CapacityError) are raised
    where it is iterated.
    """

    def __init__(self, start: Start, stop: Callable[[Sequence], None]):
        self.reply: ModelReply | None = None
        self._start, self._stop = start, stop
        self._sequences: Iterable[Sequence] = ()
        self._lock, self._stopped = threading.Lock(), False

    def __iter__(self) -> Generator[Piece, None, None]:
        events = self.events()
        try:
            yield from (event for event in events if isinstance(event, Piece))
        finally:
            events.close()

    def events(self):
        """Pieces as they are written, then actions, then `Done`. Closing the iterator stops the work."""
        return self._signals(streamed=True)

    def finish(self) -> ModelReply:
        """Compute to the end and return the whole reply."""
        for _ in self._signals(streamed=False):
            pass
        assert self.reply is not None
        return self.reply

    async def __aiter__(self) -> AsyncGenerator[Event]:
        """The events, while the event loop stays free. A cancelled caller stops the work."""
        signals: asyncio.Queue[Signal] = asyncio.Queue()
        await asyncio.to_thread(self._begin, _into(signals), True)
        try:
            while self.reply is None:
                yield self._received(await signals.get())
        finally:
            self.stop()

    async def result(self) -> ModelReply:
        """The whole reply. A cancelled caller stops the work."""
        signals: asyncio.Queue[Signal] = asyncio.Queue()
        emit = _into(signals)
        try:
            await asyncio.to_thread(self._begin, emit, False)
            self._received(await signals.get())
        finally:
            self.stop()
        assert self.reply is not None
        return self.reply

    @property
    def prompt(self) -> Prompt:
        """Of the first attempt, once the work has begun."""
        return next(iter(self._sequences)).prompt

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
        if self.reply is None:
            for sequence in self._sequences:
                self._stop(sequence)

    def _signals(self, streamed: bool):
        signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._begin(signals.put, streamed)
        try:
            while self.reply is None:
                yield self._received(signals.get())
        finally:
            self.stop()

    def _begin(self, emit: Callable[[Signal], None], streamed: bool) -> None:
        if self._stopped:
            emit(Done(ModelReply(finish_reason="cancelled")))
            return
        self._sequences = self._start(emit, streamed)
        if self._stopped:
            self.stop()

    def _received(self, signal: Signal) -> Event:
        if isinstance(signal, Failed):
            raise signal.error
        if isinstance(signal, Done):
            self.reply = signal.reply
        return signal


def _into(signals: asyncio.Queue) -> Callable[[Signal], None]:
    """Puts signals from another thread into a queue of this event loop, as long as the loop lives."""
    loop = asyncio.get_running_loop()

    def emit(signal: Signal) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(signals.put_nowait, signal)

    return emit
