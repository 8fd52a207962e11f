"""Pictures that stay as they are, and so can be named by their content once.

Knows Pillow; knows nothing of where pictures come from or what their names are for.
"""

import hashlib
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
        import numpy as np

        array = np.ascontiguousarray(array)
        array.flags.writeable = False
        still = cls.over(Image.fromarray(array))
        still._array = array
        return still

    @property
    def array(self) -> "np.ndarray":
        """The pixels as uint8 (H, W, 3), not to be written to."""
        import numpy as np

        held = self._held
        return np.asarray(self) if held is None else held

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Of the array, where there is one: numpy looks at the pixels where they lie."""
        held = self._held
        return super().__array_interface__ if held is None else held.__array_interface__

    @property
    def _held(self) -> "np.ndarray | None":
        return self._array if self._unwritten else None

    @property
    def _unwritten(self) -> bool:
        return bool(self.readonly) and self.im is self._pixels

    @property
    def name(self) -> bytes:
        """20 bytes; equal for equal pixels, whatever holds them."""
        if not self._unwritten:
            return _digest(self)
        self._name = self._name or _digest(self)
        return self._name

    def named(self) -> "Still":
        """Itself, its name taken in this thread: whoever asks for it later does not wait."""
        self._name = self.name
        return self

    def frombytes(self, data: Any, decoder_name: str = "raw", *args: Any) -> None:
        """The one way to write that does not ask whether it may."""
        self.readonly, self._pixels = 0, None
        super().frombytes(data, decoder_name, *args)


def name_of(*frames: Image.Image) -> bytes:
    """As `Still.name`, of any picture, or of the frames of a film."""
    if len(frames) == 1 and isinstance(frames[0], Still):
        return frames[0].name
    return _digest(*frames)


def _digest(*frames: Image.Image) -> bytes:
    digest = hashlib.sha1(f"{frames[0].mode} {frames[0].size}".encode(), usedforsecurity=False)
    for frame in frames:
        held = frame._held if isinstance(frame, Still) else None
        digest.update(frame.tobytes() if held is None else held.data)
    return digest.digest()
