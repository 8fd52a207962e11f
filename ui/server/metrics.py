"""What the server counts, in Prometheus' text form; a registry for each server."""

import math
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from ...model.request import ModelReply

if TYPE_CHECKING:
    from ...model.engine import Engine

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
LONGEST_WAIT_S = 60


class Metrics:
    content_type = CONTENT_TYPE_LATEST

    def __init__(self, engine: "Engine"):
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "saccade_http_requests", "Requests by route and status.", ["route", "status"], registry=registry
        )
        self.tokens = Counter("saccade_tokens", "Tokens by kind.", ["kind"], registry=registry)
        self.replies = Counter("saccade_replies", "Replies by how they ended.", ["finish"], registry=registry)
        self.phases = Histogram(
            "saccade_reply_seconds", "Seconds of a reply.", ["phase"], registry=registry, buckets=SECONDS
        )
        self.runs = Counter("saccade_runs", "Runs by how they ended.", ["status"], registry=registry)
        self.running = Gauge("saccade_runs_running", "Runs that go on.", registry=registry)
        sequences = Gauge("saccade_sequences", "Sequences by state.", ["state"], registry=registry)
        for state in ("waiting", "reading", "writing"):
            sequences.labels(state).set_function(lambda state=state: engine.scheduler.counts[state])
        self._engine = engine

    def answered(self, route: str, status: int) -> None:
        self.requests.labels(route, str(status)).inc()

    def replied(self, reply: ModelReply) -> None:
        usage = reply.usage
        kinds = {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "thinking": usage.thinking_tokens,
            "answer": usage.answer_tokens,
            "guessed": usage.drafted_tokens,
            "guessed_right": usage.accepted_tokens,
        }
        for kind, count in kinds.items():
            self.tokens.labels(kind).inc(count)
        self.replies.labels(reply.finish_reason).inc()
        for phase, seconds in reply.timings.items():
            self.phases.labels(phase).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    @property
    def retry_after_s(self) -> int:
        """When a place in the queue may be free: what a reply took so far, by those who wait and who run."""
        counts, limits = self._engine.scheduler.counts, self._engine.limits
        seconds = self.registry.get_sample_value("saccade_reply_seconds_sum", {"phase": "decode"}) or 0.0
        replies = self.registry.get_sample_value("saccade_reply_seconds_count", {"phase": "decode"}) or 1.0
        wait = seconds / replies * max(counts["waiting"], 1) / limits.running
        return min(max(math.ceil(wait), 1), LONGEST_WAIT_S)
