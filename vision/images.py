"""Pictures from anywhere to RGB: a path, bytes, a data URL, an array or a PIL image.

Knows file formats and colour modes; knows nothing of patches or models, and never opens a network connection.
"""

import base64
import binascii
import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ..errors import InputError

Source = Image.Image | np.ndarray | bytes | str | os.PathLike
PAPER = (255, 255, 255)
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")


def load_image(source: Source) -> Image.Image:
    """RGB, upright (EXIF applied), transparency over white, 16 bits and floats scaled to 8.

    Arrays are [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]: uint8, uint16, or floats in 0..1. Raises InputError
    for anything that is no picture. An RGB image is passed on as it is.
    """
    image = _from_array(source) if isinstance(source, np.ndarray) else _decoded(source)
    if 0 in image.size:
        raise InputError(f"the picture is empty ({image.width} x {image.height} px): give one with pixels")
    return _rgb(image)


def _decoded(source: Any) -> Image.Image:
    image = source if isinstance(source, Image.Image) else _opened(source)
    try:
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image  # it copies in any case
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"the picture cannot be decoded ({error}): save it again as PNG or JPEG") from None


def _opened(source: Any) -> Image.Image:
    data, name = read_bytes(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is too large ({error}): scale it down first") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{name} is no picture that can be read ({error}): save it as PNG or JPEG") from None


def read_bytes(source: Any, kind: str = "picture") -> tuple[bytes, str]:
    """The file's content, and what to call it in a message."""
    match source:
        case bytes() | bytearray() | memoryview():
            return bytes(source), "the data"
        case str() if source.startswith("data:"):
            return _data_url(source), "the data URL"
        case str() if source.startswith(("http://", "https://")):
            raise InputError(f"{source[:80]} is an address: download the {kind} and give its path")
        case str() | os.PathLike():
            return _file(Path(source)), str(source)[:200]
        case _:
            found = type(source).__name__
            more = "a PIL image" if kind == "picture" else "a list of pictures"
            raise InputError(f"{found} is no {kind}: give a path, bytes, an array or {more}")


def _data_url(url: str) -> bytes:
    header, comma, payload = url.partition(",")
    if not comma or not header.endswith(";base64"):
        raise InputError(f"the data URL {url[:40]!r} is not base64: write data:TYPE;base64,...")
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise InputError(f"the data URL {url[:40]!r} is broken ({error}): encode the file again") from None


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)[:200]} cannot be read ({error}): check the path") from None


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4)):
        raise InputError(
            f"an array of shape {array.shape} is no picture: give [H, W], [H, W, 3] or [H, W, 4]"
        )
    if 0 in array.shape:
        raise InputError(f"the picture is empty (shape {array.shape}): give one with pixels")
    return Image.fromarray(np.ascontiguousarray(_to_8_bit(array)))


def _to_8_bit(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if (
        np.issubdtype(array.dtype, np.floating)
        and np.isfinite(array).all()
        and 0 <= array.min() <= array.max() <= 1
    ):
        return np.round(array * 255).astype(np.uint8)
    raise InputError(f"an array of {array.dtype} is no picture: give uint8, uint16, or floats in 0..1")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BIT or image.mode in ("I", "F"):
        return Image.fromarray(_wide_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        canvas = Image.new("RGBA", image.size, (*PAPER, 255))
        return Image.alpha_composite(canvas, _rgba(image)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _rgba(image: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    return (image.convert(straight) if straight else image).convert("RGBA")


def _wide_to_8_bit(array: np.ndarray) -> np.ndarray:
    """Grey levels of 16 bits or more, by the range that they use: 8, 16 bits, or 0..1 for floats."""
    values = np.nan_to_num(array.astype(np.float64))
    top = values.max()
    scale = (
        255 / 65535
        if top > 255 or array.dtype == np.uint16
        else 255
        if top <= 1 and array.dtype.kind == "f"
        else 1
    )
    return np.clip(values * scale, 0, 255).round().astype(np.uint8)
