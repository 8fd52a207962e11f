"""Pictures that stay as they are, and so can be named by their content once.

Knows Pillow; knows nothing of where pictures come from or what their names are for.
"""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import numpy as np


class Still(Image.Image):
    """A picture's pixels and their name. Showing it again costs no look at a pixel.

    It is read-only to Pillow, which copies the pixels of such a picture before it draws on them; from then on
    the name is taken anew each time.
    """

    _name = b""
    _array: "np.ndarray | None" = None
    _pixels: Any = None  # those that have this name and are in this array

    @classmethod
    def of(cls, image: Image.Image) -> "Still":
        """A copy, so that nobody holds its pixels; a Still itself."""
        return image if isinstance(image, Still) else cls.over(image.copy())

    @classmethod
    def over(cls, image: Image.Image) -> "Still":
        """The same pixels, of a picture that its owner lets go of."""
        image.load()
        still = cls()
        still.im, still._mode, still._size, still.palette = image.im, image.mode, image.size, image.palette
        still.readonly, still._pixels = 1, still.im
        return still

    @classmethod
    def from_array(cls, array: "np.ndarray") -> "Still":
        """Of uint8 (H, W, 3), which nobody writes to from now on."""
        array.flags.writeable = False
        still = cls.over(Image.fromarray(array))
        still._array = array
        return still

    @property
    def array(self) -> "np.ndarray":
        """The pixels as uint8 (H, W, 3), not to be written to."""
        import numpy as np

        if self._array is None or not self._unwritten:
            return np.asarray(self)
        return self._array

    @property
    def _unwritten(self) -> bool:
        return bool(self.readonly) and self.im is self._pixels

    @property
    def name(self) -> bytes:
        """20 bytes; equal for equal pixels, whatever holds them."""
        if not self._unwritten:
            return _digest(self, [self.tobytes()])
        self._name = self._name or _digest(self, [self.tobytes()])
        return self._name

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
