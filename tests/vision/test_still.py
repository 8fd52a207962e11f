"""A picture that keeps its name: the same pixels, the same name, however they came about."""

import copy
import io
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw
from saccade.vision import still as still_module
from saccade.vision.still import Still, name_of

DARK = (1, 2, 3)


def noise(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 20, 3), dtype=np.uint8))


def fresh(image: Image.Image) -> bytes:
    """The name that its pixels deserve."""
    return name_of(Image.frombytes(image.mode, image.size, image.tobytes()))


def from_file() -> Image.Image:
    data = io.BytesIO()
    noise().save(data, "PNG")
    return Image.open(data)  # not read yet


@pytest.mark.parametrize("make", [noise, from_file, lambda: noise().convert("P")])
def test_it_is_the_picture_and_has_its_name(make: Callable[[], Image.Image]):
    image = make()
    still = Still.of(image)
    assert np.array_equal(np.asarray(still), np.asarray(image))
    assert still.name == name_of(still) == name_of(image)
    assert Still.of(still) is still


def test_its_pixels_are_read_once(monkeypatch: pytest.MonkeyPatch):
    still = Still.of(noise())
    assert still.name
    monkeypatch.setattr(Still, "tobytes", lambda *_: pytest.fail("the pixels are read again"))
    assert name_of(still) == name_of(noise())


def test_a_file_that_is_let_go_of_keeps_its_pixels():
    image = from_file()
    still = Still.over(image)
    del image
    assert still.name == fresh(noise())
    pen = ImageDraw.Draw(marked := still.copy())
    pen.line((0, 0, 19, 11), DARK)
    assert still.name == fresh(still) != name_of(marked)


def test_names_tell_pixels_sizes_and_modes_apart():
    image = noise()
    turned = Image.frombytes("RGB", (12, 20), image.tobytes())
    grey = Image.frombytes("L", (60, 12), image.tobytes())
    assert len({Still.of(each).name for each in (image, noise(1), turned, grey)}) == 4


def test_changing_the_original_leaves_it_alone():
    image = noise()
    access, pen, still = image.load(), ImageDraw.Draw(image), Still.of(image)
    name = still.name
    access[0, 0] = DARK  # type: ignore[index]
    pen.line((0, 0, 19, 11), DARK)
    image.paste(DARK, (2, 2, 9, 9))
    assert still.name == name == fresh(still) != name_of(image)


CHANGES: dict[str, Callable[[Image.Image], object]] = {
    "putpixel": lambda it: it.putpixel((0, 0), DARK),
    "paste": lambda it: it.paste(DARK, (2, 2, 9, 9)),
    "draw": lambda it: ImageDraw.Draw(it).rectangle((2, 2, 9, 9), DARK),
    "putdata": lambda it: it.putdata([DARK] * 240),
    "putalpha": lambda it: it.putalpha(7),
    "thumbnail": lambda it: it.thumbnail((6, 6)),
    "frombytes": lambda it: it.frombytes(bytes(720)),
    "setstate": lambda it: it.__setstate__(noise(5).__getstate__()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_one_has_another_name(change: Callable[[Image.Image], object]):
    still = Still.of(noise())
    before = still.name
    change(still)
    first = still.name
    assert first == fresh(still) != before
    pixels = still.load()
    assert pixels is not None
    pixels[1, 1] = (9, 9, 9, 9)[: len(still.getbands())]
    assert still.name == fresh(still) != first


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_its_array_follows_a_change(change: Callable[[Image.Image], object]):
    array = np.array(noise())
    still = Still.from_array(array)
    assert still.array is array
    assert still.name == name_of(noise())
    change(still)
    assert np.array_equal(still.array, np.asarray(still.copy()))
    assert np.array_equal(np.asarray(still), still.array)
    assert not np.array_equal(still.array, array)


def test_its_array_is_named_and_seen_where_it_lies(monkeypatch: pytest.MonkeyPatch):
    array = np.array(noise())
    still, wide = Still.from_array(array), Still.from_array(np.repeat(array, 2, axis=1)[:, ::2])
    monkeypatch.setattr(Still, "tobytes", lambda *_: pytest.fail("the pixels are copied"))
    assert still.name == wide.name == name_of(noise())
    assert np.shares_memory(np.asarray(still), array)
    own = np.array(still)
    own[:] = 0
    assert array.any()


def test_a_name_can_be_taken_early(monkeypatch: pytest.MonkeyPatch):
    still, name = Still.of(noise()).named(), name_of(noise())
    monkeypatch.setattr(still_module, "_digest", lambda *_: pytest.fail("the name is taken again"))
    assert still.name == still.named().name == name


def test_nobody_writes_to_its_array():
    for still in (Still.from_array(np.array(noise())), Still.of(noise())):
        with pytest.raises(ValueError, match="read-only"):
            still.array[0, 0] = DARK


def test_its_pixels_cannot_be_reached_behind_its_back():
    pixels = Still.of(noise()).load()
    assert pixels is not None
    with pytest.raises((TypeError, ValueError), match=r"(?i)read-?only"):
        pixels[0, 0] = DARK
    assert not np.asarray(Still.of(noise())).flags.writeable


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_may_be_changed(again: Callable[[Still], Still]):
    still = Still.of(noise())
    other = again(still)
    assert name_of(other) == still.name
    other.paste(DARK, (2, 2, 9, 9))
    assert name_of(other) == fresh(other) != still.name == fresh(still)
