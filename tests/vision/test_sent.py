"""A picture that is sent again is not read again, and never taken for another one."""

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from saccade.errors import InputError
from saccade.vision.images import load_image
from saccade.vision.sent import SentPictures
from saccade.vision.still import name_of

SIZE = (20, 12)


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def url(seed: int) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(seed)).decode()}"


BYTES = 4 * 20 * 12 + len(url(0))


@pytest.mark.parametrize("source", [png, url])
def test_what_was_sent_before_is_known_again(source: Callable[[int], bytes | str]):
    sent = SentPictures(10 * BYTES)
    first = sent(source(1))
    assert sent(source(1)) is first
    assert sent(source(2)) is not first
    assert name_of(first) == name_of(load_image(source(1)))


def test_the_budget_holds_and_the_oldest_go_first():
    sent = SentPictures(3 * BYTES)
    kept = [sent(url(seed)) for seed in range(3)]
    assert sent(url(0)) is kept[0]  # used again, so 1 is the oldest now
    sent(url(3))
    assert sent.nbytes() == 3 * BYTES
    assert sent(url(0)) is kept[0]
    assert sent(url(1)) is not kept[1]


def test_without_a_budget_pictures_are_read_all_the_same():
    sent = SentPictures(0)
    assert name_of(sent(url(1))) == name_of(sent(url(1)))
    assert sent.nbytes() == 0


def test_other_sources_are_read_as_ever(tmp_path):
    sent, path = SentPictures(10 * BYTES), tmp_path / "it.png"
    for seed in (1, 2):  # a file may change
        load_image(url(seed)).save(path)
        assert name_of(sent(path)) == name_of(load_image(url(seed)))
    assert sent.nbytes() == 0


def test_a_broken_picture_is_not_kept():
    sent = SentPictures(10 * BYTES)
    for _ in range(2):
        with pytest.raises(InputError, match="base64"):
            sent("data:image/png;base64,a")
    assert sent.nbytes() == 0
