"""Pictures that come as files or data URLs with every request of a conversation: decoded and named once.

A memory within a byte budget, the least recently used first out. Knows nothing of requests and servers.
"""

from collections import OrderedDict
from threading import Lock

from PIL import Image

from .images import Source, load_image
from .still import Still


class SentPictures:
    """`load_image` that knows again what it was sent, by all of the bytes or the URL. For any thread."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._stills: OrderedDict[bytes | str, Still] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, source: Source) -> Image.Image:
        """Raises InputError as `load_image` does; a picture that is not kept is still read."""
        if not isinstance(source, bytes) and not (isinstance(source, str) and source.startswith("data:")):
            return load_image(source)
        with self._lock:
            if source in self._stills:
                self._stills.move_to_end(source)
                return self._stills[source]
        still = Still.over(load_image(source))
        self._keep(source, still)
        return still

    def nbytes(self) -> int:
        """Of what is kept: what was sent, and its pixels."""
        return self._bytes

    def _keep(self, source: bytes | str, still: Still) -> None:
        with self._lock:
            if source not in self._stills:
                self._stills[source] = still
                self._bytes += _size(source, still)
            while self._bytes > self.budget_bytes:
                self._bytes -= _size(*self._stills.popitem(last=False))


def _size(source: bytes | str, image: Image.Image) -> int:
    """Pillow takes four bytes for a pixel of RGB."""
    return len(source) + 4 * image.width * image.height
