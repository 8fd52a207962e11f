"""Pictures that come as data URLs with every request of a conversation: decoded and named once.

A memory within a byte budget, the least recently used first out. Knows nothing of requests and servers.
"""

import hashlib
from collections import OrderedDict
from threading import Lock

from PIL import Image

from .images import Source, load_image
from .still import Still


class SentPictures:
    """`load_image` that knows again what it was sent, by a digest of the whole URL. For any thread."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._stills: OrderedDict[bytes, Still] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, source: Source) -> Image.Image:
        """Raises InputError as `load_image` does; a picture that is not kept is still read."""
        if not (isinstance(source, str) and source.startswith("data:")):
            return load_image(source)
        key = hashlib.blake2b(source.encode(), digest_size=32).digest()
        with self._lock:
            if key in self._stills:
                self._stills.move_to_end(key)
                return self._stills[key]
        still = Still.of(load_image(source))
        self._keep(key, still)
        return still

    def nbytes(self) -> int:
        """Of the pixels that are kept."""
        return self._bytes

    def _keep(self, key: bytes, still: Still) -> None:
        with self._lock:
            if key not in self._stills:
                self._stills[key] = still
                self._bytes += _size(still)
            while self._bytes > self.budget_bytes:
                self._bytes -= _size(self._stills.popitem(last=False)[1])


def _size(image: Image.Image) -> int:
    """Pillow takes four bytes for a pixel of RGB."""
    return 4 * image.width * image.height
