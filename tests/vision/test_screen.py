"""Differences between screenshots, and marks on them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from saccade.vision import screen
from saccade.vision.screen import (
    ACCENT,
    changed_fraction,
    changed_regions,
    joined,
    mark_action,
    mark_regions,
    moved,
    same,
    share,
)
from saccade.vision.still import name_of


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_opencv_reads_what_pillow_reads(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, "PNG")
    monkeypatch.setattr(screen, "_ready", False)
    first = screen.decoded(file.getvalue())
    screen.get_ready()
    second = screen.decoded(file.getvalue())
    assert first.mode == second.mode == "RGB"
    assert first._name == second._name == name_of(first.copy())  # taken already
    assert np.array_equal(first.array, second.array)


def plain(width: int = 200, height: int = 120, colour: tuple = (240, 240, 240)) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 140), st.integers(0, 80))
def test_one_painted_box_is_found_exactly(width: int, height: int, x: int, y: int) -> None:
    before, after = plain(), plain()
    after.paste((0, 0, 0), (x, y, x + width, y + height))
    assert changed_fraction(before, after) == pytest.approx(width * height / (200 * 120))
    assert changed_regions(before, after) == [(x, y, width, height)]
    assert not same(before, after)


def test_noise_below_the_tolerance_is_no_change() -> None:
    assert same(plain(), plain(colour=(245, 236, 240)))
    assert not same(plain(), plain(colour=(250, 240, 240)))


def test_other_sizes_differ_entirely() -> None:
    assert changed_fraction(plain(), plain(width=201)) == 1.0
    assert changed_regions(plain(), plain(width=201)) == [(0, 0, 201, 120)]


def test_arrays_and_images_are_the_same() -> None:
    after = plain()
    after.paste((0, 0, 0), (5, 5, 9, 9))
    assert changed_fraction(np.asarray(plain()), np.asarray(after)) == changed_fraction(plain(), after)


def test_near_changes_are_one_region_and_far_ones_two() -> None:
    after = plain()
    for box in [(10, 10, 20, 20), (25, 10, 35, 20), (150, 90, 155, 95)]:
        after.paste((0, 0, 0), box)
    assert changed_regions(plain(), after) == [(10, 10, 25, 10), (150, 90, 5, 5)]


@pytest.mark.parametrize("point", [(640, 360), (0, 0), (1279, 719)])
def test_mark_is_drawn_around_the_point_on_a_copy(point: tuple[int, int]) -> None:
    image = plain(1280, 720)
    marked = mark_action(image, point)
    assert same(image, plain(1280, 720))
    assert marked.size == image.size
    ((x, y, width, height),) = changed_regions(image, marked)
    assert x - 2 <= point[0] <= x + width + 2
    assert y - 2 <= point[1] <= y + height + 2
    assert max(width, height) < 80


def test_a_drag_shows_its_way() -> None:
    marked = mark_action(plain(1280, 720), [(200, 300), (900, 300)], kind="drag")
    red, green, blue = marked.getpixel((500, 300))  # type: ignore[misc]
    assert abs(red - ACCENT[0]) < 30
    assert green < 130
    assert blue < 130


def test_the_caption_keeps_away_from_the_pointer() -> None:
    image = plain(1280, 720)
    low = changed_regions(image, mark_action(image, (640, 700), "Click the last row"))
    high = changed_regions(image, mark_action(image, (640, 100), "Click the first row"))
    assert any(y < 100 and width > 150 for _, y, width, _ in low)
    assert any(y > 600 and width > 150 for _, y, width, _ in high)


@given(st.text(max_size=300))
def test_any_caption_fits(label: str) -> None:
    marked = mark_action(plain(640, 360), None, label)
    for x, _, width, _ in changed_regions(plain(640, 360), marked):
        assert x > 0
        assert x + width < 640


def test_mark_regions() -> None:
    marked = mark_regions(plain(), [(50, 40, 60, 30)])
    assert changed_regions(plain(), marked)[0] == (48, 38, 64, 34)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_pillow_finds_the_pixels_that_opencv_finds(seed: int, most: int) -> None:
    """Pictures that differ by at most `most` of 255, around the tolerance."""
    noise = np.random.default_rng(seed)
    first = noise.integers(20, 230, (12, 20, 3), dtype=np.uint8)
    second = (first + noise.integers(-most, most + 1, first.shape)).astype(np.uint8)
    before, after = Image.fromarray(first), Image.fromarray(second)
    assert share(moved(before, after)) == pytest.approx(changed_fraction(before, after))


def test_what_moves_in_a_hidden_box_is_not_told() -> None:
    before, after = plain(100, 100), plain(100, 100)
    after.paste((0, 0, 0), (10, 20, 30, 50))
    mask = moved(before, after)
    assert mask.getbbox() == (10, 20, 30, 50)
    assert share(mask) == pytest.approx(0.06)
    assert share(moved(before, after, [(-5, 15, 50, 40)])) == 0
    assert share(joined(moved(before, before), mask)) == pytest.approx(0.06)
    assert share(moved(before, plain(50, 50))) == 1
