"""How sure a model was of an action: the probabilities of its free choices."""

from .thinking import Thinking


class Confidence:
    """Collects the probability of each token that the grammar left open; forced ones say nothing.

    Probabilities are those of the masked distribution, before temperature. Without any free choice there is
    no doubt: minimum and mean are 1.
    """

    def __init__(self) -> None:
        self.probabilities: list[float] = []

    def record(self, probability: float) -> None:
        self.probabilities.append(probability)

    def rollback(self, n: int) -> None:
        """Forget the last n recorded choices."""
        if n:
            del self.probabilities[-n:]

    @property
    def minimum(self) -> float:
        return min(self.probabilities, default=1.0)

    @property
    def mean(self) -> float:
        return sum(self.probabilities) / len(self.probabilities) if self.probabilities else 1.0

    def sure(self, thinking: Thinking) -> bool:
        """Whether an action decoded without a thought may stand."""
        return self.minimum >= thinking.sure_minimum and self.mean >= thinking.sure_mean
