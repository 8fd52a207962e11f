import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from saccade.errors import InputError
from saccade.vision.images import load_image

RED = (200, 30, 10)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def picture() -> Image.Image:
    image = Image.new("RGB", (6, 4), RED)
    image.putpixel((5, 0), (1, 2, 3))
    return image


def test_every_source_gives_the_same_pixels(picture: Image.Image, tmp_path: Path):
    data = encoded(picture)
    path = tmp_path / "a b.png"
    path.write_bytes(data)
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (picture, np.asarray(picture), data, path, str(path), url, np.asarray(picture) / 255):
        loaded = load_image(source)
        assert loaded.mode == "RGB"
        assert np.array_equal(np.asarray(loaded), np.asarray(picture))


def test_exif_turns_the_picture(picture: Image.Image):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = load_image(encoded(picture, "PNG", exif=exif))
    assert turned.size == (4, 6)
    assert turned.getpixel((3, 5)) == (1, 2, 3)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "YCbCr", "HSV", "1", "RGBA", "LA", "RGBX"])
def test_every_mode_becomes_rgb(picture: Image.Image, mode: str):
    loaded = load_image(picture.convert(mode))
    assert loaded.mode == "RGB"
    assert loaded.size == picture.size


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_shows(kind: str):
    first, second = Image.new("RGB", (8, 6), RED), Image.new("RGB", (8, 6), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    loaded = load_image(encoded(first, kind, save_all=True, append_images=[second], duration=90, **options))
    assert loaded.getcolors() == [(48, RED)]


def test_transparency_shows_white():
    assert load_image(Image.new("RGBA", (2, 2), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(Image.new("RGBA", (2, 2), (0, 0, 0, 128))).getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", (2, 2), 0)
    palette.info["transparency"] = 0
    assert load_image(palette).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled():
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    for source in (ramp, Image.fromarray(ramp), encoded(Image.fromarray(ramp))):
        grey = np.asarray(load_image(source))[..., 0].astype(int)
        assert abs(grey - np.arange(256).reshape(16, 16)).max() <= 1


def test_grey_arrays_and_floats():
    assert load_image(np.full((2, 3), 7, np.uint8)).getpixel((0, 0)) == (7, 7, 7)
    assert load_image(np.full((2, 3, 1), 7, np.uint8)).size == (3, 2)
    assert load_image(np.ones((2, 3), bool)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        "no/such/file.png",
        "https://example.com/a.png",
        "data:image/png,abc",
        "data:image/png;base64,@@@",
        "data:image/png;base64,QUJD",
        "\0",
        np.zeros((3, 2, 2, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.full((4, 4, 3), 300, np.int32),
        np.full((4, 4, 3), np.nan),
        None,
        42,
    ],
)
def test_anything_else_is_an_input_error(source):
    with pytest.raises(InputError):
        load_image(source)


def test_truncated_files_are_input_errors(picture: Image.Image):
    big = picture.resize((300, 200))
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
        data = encoded(big, kind)
        for keep in (10, len(data) // 2):
            with pytest.raises(InputError):
                load_image(data[:keep])
