"""Pictures that stay as they are, and so can be named by their content once.

Knows Pillow; knows nothing of where pictures come from or what their names are for.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from PIL import Image


class Still(Image.Image):
    """A picture's pixels and their name. Showing it again costs no look at a pixel.

    It is read-only to Pillow, which copies the pixels of such a picture before it draws on them; from then on
    the name is taken anew each time.
    """

    _name = b""
    _pixels: Any = None  # those that have this name

    @classmethod
    def of(cls, image: Image.Image) -> "Still":
        """A copy, so that nobody holds its pixels; a Still itself."""
        if isinstance(image, Still):
            return image
        still, state = cls(), Image.Image.__getstate__(image)  # of a file, there is more to it
        still.__setstate__(state)
        still.readonly, still._pixels, still._name = 1, still.im, _digest(image, state[-1:])
        return still

    @property
    def name(self) -> bytes:
        """20 bytes; equal for equal pixels, whatever holds them."""
        unchanged = self.readonly and self.im is self._pixels
        return self._name if unchanged else _digest(self, [self.tobytes()])

    def frombytes(self, data: Any, decoder_name: str = "raw", *args: Any) -> None:
        """The one way to write that does not ask whether it may."""
        self.readonly, self._pixels = 0, None
        super().frombytes(data, decoder_name, *args)


def name_of(*frames: Image.Image) -> bytes:
    """As `Still.name`, of any picture, or of the frames of a film."""
    if len(frames) == 1 and isinstance(frames[0], Still):
        return frames[0].name
    return _digest(frames[0], (frame.tobytes() for frame in frames))


def _digest(first: Image.Image, frames: Iterable[bytes]) -> bytes:
    digest = hashlib.sha1(f"{first.mode} {first.size}".encode(), usedforsecurity=False)
    for pixels in frames:
        digest.update(pixels)
    return digest.digest()
