import json
import math
import random

import numpy as np
import pytest
import torch
from PIL import Image
from saccade.errors import CheckpointError, ContextError
from saccade.vision.preprocessing import ImageProcessor, smart_resize
from saccade.vision.still import Still

SIZES = [(64, 64), (1280, 720), (97, 331), (30, 500), (33, 47), (1999, 17), (1, 1), (240, 240)]


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def official(**options):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(**options)


@pytest.mark.parametrize(
    "options",
    [
        {
            "patch_size": 16,
            "size": {"shortest_edge": 65536, "longest_edge": 16777216},
            "image_mean": [0.5] * 3,
        },
        {"patch_size": 14, "merge_size": 1, "size": {"shortest_edge": 784, "longest_edge": 40000}},
        {"patch_size": 8, "merge_size": 3, "size": {"shortest_edge": 1024, "longest_edge": 90000}},
    ],
)
def test_equals_the_official_processor(options: dict):
    options = {
        "image_mean": [0.48, 0.45, 0.4],
        "image_std": [0.27, 0.26, 0.28],
        "temporal_patch_size": 2,
        **options,
    }
    images = [noise(*size) for size in SIZES]
    expected = official(**options)(images, return_tensors="pt")
    pixel_values, grid_thw = ImageProcessor.from_dict(options)(images)
    assert torch.equal(grid_thw, expected["image_grid_thw"])
    assert pixel_values.shape == expected["pixel_values"].shape
    assert (pixel_values - expected["pixel_values"]).abs().max() < 1e-5


def random_sizes(number: int, largest: int) -> list[tuple[int, int]]:
    """Widths and heights spread over orders of magnitude, up to an aspect of 200, with the extremes first."""
    generator, sizes = (
        random.Random(3),
        [(1, 1), (largest, largest), (200, 1), (1, 200), (31, 6200), (2000, 10)],
    )
    while len(sizes) < number:
        width, height = (round(math.exp(generator.uniform(0, math.log(largest)))) for _ in range(2))
        if max(width, height) <= 200 * min(width, height):
            sizes.append((width, height))
    return sizes


def test_fifty_random_pictures_equal_the_official_processor():
    """With the published bounds narrowed, so that many pictures meet them from either side."""
    options = {"patch_size": 16, "size": {"shortest_edge": 16384, "longest_edge": 262144}}
    options |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "temporal_patch_size": 2}
    theirs, ours, shrunk, grown = official(**options), ImageProcessor.from_dict(options), 0, 0
    for size in random_sizes(50, 1500):
        image = noise(*size)
        expected = theirs([image], return_tensors="pt")
        pixel_values, grid_thw = ours([image])
        assert torch.equal(grid_thw, expected["image_grid_thw"]), size
        assert (pixel_values - expected["pixel_values"]).abs().max() < 1e-5, size
        area = grid_thw.prod().item() * 256
        shrunk, grown = shrunk + (area < math.prod(size)), grown + (area > math.prod(size))
    assert min(shrunk, grown) > 10


def test_a_still_is_cut_as_the_picture_that_it_shows():
    for size in ((96, 64), (97, 331)):  # as it is, and resized
        image, cut = noise(*size), ImageProcessor(min_pixels=1024)
        assert torch.equal(cut([Still.from_array(np.array(image))])[0], cut([image])[0])


def test_grid_and_tokens_tell_the_size_without_pixels():
    processor = ImageProcessor(min_pixels=1024, max_pixels=100_000)
    for size in SIZES:
        _, grid_thw = processor([noise(*size)])
        assert tuple(grid_thw[0].tolist()) == processor.grid(*size)
        assert processor.tokens(*size) == grid_thw.prod().item() // 4


def test_smart_resize_rounds_half_to_even():
    assert smart_resize(80, 48, 32, 1, 10**9) == (64, 64)  # 2.5 -> 2, 1.5 -> 2


def test_smart_resize_keeps_its_bounds():
    for height, width in [(3, 500), (5000, 31), (1, 1), (1000, 1000)]:
        h, w = smart_resize(height, width, 32, 65536, 200_000)
        assert h % 32 == w % 32 == 0
        assert h * w >= 65536


def test_a_strip_is_refused():
    with pytest.raises(ContextError, match="4020 x 20 px"):
        ImageProcessor()([noise(4020, 20)])


def test_without_resizing_the_sides_must_fit():
    processor = ImageProcessor(patch_size=4, do_resize=False)
    assert processor([noise(16, 24)])[1].tolist() == [[1, 6, 4]]
    with pytest.raises(ContextError, match="multiples of 8"):
        processor([noise(16, 25)])


def test_reads_both_spellings_of_the_bounds(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"patch_size": 16, "size": {"shortest_edge": 100, "longest_edge": 200}}))
    assert ImageProcessor.from_pretrained(tmp_path) == ImageProcessor(min_pixels=100, max_pixels=200)
    path.write_text(json.dumps({"min_pixels": 100, "max_pixels": 200}))
    assert ImageProcessor.from_pretrained(tmp_path) == ImageProcessor(min_pixels=100, max_pixels=200)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"do_rescale": false}', '{"resample": 2}', '{"image_mean": 3}', None]
)
def test_a_broken_config_is_a_checkpoint_error(tmp_path, content: str | None):
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json"):
        ImageProcessor.from_pretrained(tmp_path)
