"""Videos: the frames, sizes, moments and patches of the official processor, from every kind of source."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from saccade.errors import CheckpointError, ContextError, InputError
from saccade.vision.preprocessing import ImageProcessor
from saccade.vision.processor import Processor
from saccade.vision.video import Video, VideoProcessor

SMALL = VideoProcessor(patch_size=4, min_pixels=256, max_pixels=40_000)


def frames(number: int, width: int = 40, height: int = 24) -> list[Image.Image]:
    generator = np.random.default_rng(number)
    return [Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8)) for _ in range(number)]


def write(path: Path, number: int, fps: float = 10, size: tuple[int, int] = (64, 48)) -> Path:
    """A video whose frame i is grey 10 i."""
    codec = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for i in range(number):
        writer.write(np.full((size[1], size[0], 3), 10 * i, np.uint8))
    writer.release()
    return path


def shown(video: Video) -> list[int]:
    """Which frames of `write` these are."""
    return [round(np.asarray(frame).mean() / 10) for frame in video.frames]


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 7, 31, 300, 5000])
@pytest.mark.parametrize(("own_fps", "fps"), [(24, 2), (29.97, 2), (1, 2), (60, 0.5)])
def test_chooses_the_frames_and_tells_the_moments_of_the_official_processor(total, own_fps, fps):
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
    from transformers.video_utils import VideoMetadata

    metadata = VideoMetadata(total_num_frames=total, fps=own_fps)
    expected = Qwen3VLVideoProcessor().sample_frames(metadata, fps=fps).tolist()
    ours = VideoProcessor().choose(total, own_fps, fps)
    assert ours == expected
    moments = Qwen3VLProcessor._calculate_timestamps(None, list(expected), own_fps)  # type: ignore[arg-type]
    assert list(VideoProcessor()._moments([i / own_fps for i in ours])) == pytest.approx(moments)


@pytest.mark.parametrize("number", [2, 3, 4, 9, 10, 768])
@pytest.mark.parametrize("size", [(720, 1280), (20, 33), (31, 5), (1080, 1920), (480, 640), (5, 900)])
def test_sizes_equal_the_official_ones(number: int, size: tuple[int, int]):
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import smart_resize

    for low, high in ((4096, 25165824), (131072, 786432)):
        expected = smart_resize(number, *size, factor=32, min_pixels=low, max_pixels=high)
        assert VideoProcessor(min_pixels=low, max_pixels=high).video_size(number, *size) == expected


@pytest.mark.parametrize("number", [1, 2, 5])
def test_patches_equal_the_official_ones(number: int):
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    video = SMALL.load(frames(number))
    pixels = torch.stack([torch.from_numpy(np.array(frame)) for frame in video.frames]).permute(0, 3, 1, 2)
    theirs = Qwen3VLVideoProcessor().patchify(((pixels / 255 - 0.5) / 0.5)[None], 4, 2, 2)
    patches, grid = SMALL.patches(video)
    assert grid == theirs[1:]
    assert (patches - theirs[0][0]).abs().max() < 1e-6


def test_a_still_picture_is_a_video_that_does_not_move():
    picture = frames(1, 64, 64)[0]
    videos = VideoProcessor(min_pixels=64, max_pixels=10**6)
    still, _ = ImageProcessor(min_pixels=64, max_pixels=10**6)([picture])
    moving, grid = videos.patches(videos.load([picture] * 4))
    assert grid == (2, 4, 4)
    assert torch.equal(moving, torch.cat((still, still)))


@pytest.mark.parametrize("name", ["a b.mp4", "a.avi", "a.webm"])
def test_files(tmp_path: Path, name: str):
    """24 frames at 8 a second are 3 s: 6 frames at 2 a second, told in pairs."""
    video = SMALL.load(write(tmp_path / name, 24, fps=8))
    assert shown(video) == [0, 5, 9, 14, 18, 23]
    assert video.moments == pytest.approx((2.5 / 8, 11.5 / 8, 20.5 / 8))
    assert video.frames[0].size == (64, 48)
    assert shown(SMALL.load(str(tmp_path / name), fps=1.4)) == [0, 8, 15, 23]


def test_every_source_gives_the_same_frames(tmp_path: Path):
    path = write(tmp_path / "a.mp4", 8)
    data = path.read_bytes()
    url = "data:video/mp4;base64," + base64.b64encode(data).decode()
    videos = [SMALL.load(source) for source in (path, str(path), data, url)]
    assert all(video == videos[0] for video in videos)
    assert SMALL.load(videos[0]) is videos[0]


def test_frames_are_taken_as_they_are():
    pictures = frames(5)
    as_list, as_array = (
        SMALL.load(pictures, fps=4),
        SMALL.load(np.stack([np.asarray(picture) for picture in pictures]), fps=4),
    )
    assert as_list == as_array
    assert as_list.moments == (0.125, 0.625, 1.0)
    assert SMALL.video_grid(as_list)[0] == 3


def test_a_file_that_promises_more_frames_than_it_holds(tmp_path: Path):
    path = write(tmp_path / "a.avi", 24, size=(320, 240))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    video = SMALL.load(path)
    assert len(video.frames) >= 4
    assert shown(video)[0] == 0
    assert shown(video) == sorted(shown(video))


def broken(tmp_path: Path) -> dict[str, tuple[object, str]]:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    headless = write(tmp_path / "cut.mp4", 20).read_bytes()[:300]
    (tmp_path / "cut.mp4").write_bytes(headless)
    write(tmp_path / "none.avi", 0)
    return {
        "0 bytes": (tmp_path / "empty.mp4", "empty.mp4"),
        "text": (tmp_path / "text.mp4", "text.mp4"),
        "truncated": (tmp_path / "cut.mp4", "cut.mp4"),
        "no frames": (tmp_path / "none.avi", "none.avi"),
        "no frames given": ([], "no frames"),
        "empty array": (np.zeros((0, 8, 8, 3), np.uint8), "no frames"),
        "missing": (tmp_path / "missing.mp4", "missing.mp4"),
        "a folder": (tmp_path, str(tmp_path)),
        "an address": ("https://example.com/a.mp4", "download the video"),
        "a pattern": (str(tmp_path / "%02d.png"), "%02d.png"),
        "sizes": ([*frames(1), *frames(1, 16)], "differ in size"),
        "a frame that is no picture": ([b"x"], "no picture"),
        "bytes": (b"\x00" * 100, "the data"),
        "nothing": (None, "NoneType is no video"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        *("0 bytes", "text", "truncated", "no frames", "no frames given", "empty array", "missing"),
        *("a folder", "an address", "a pattern", "sizes", "a frame that is no picture", "bytes", "nothing"),
    ],
)
def test_what_is_no_video_is_an_input_error(tmp_path: Path, kind: str):
    source, words = broken(tmp_path)[kind]
    with pytest.raises(InputError) as error:
        SMALL.load(source)  # type: ignore[arg-type]
    assert words in str(error.value)
    assert ": " in str(error.value)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "2"])
def test_a_rate_must_be_a_number_above_0(fps):
    with pytest.raises(InputError, match="frames a second"):
        SMALL.load(frames(2), fps=fps)


def test_a_strip_is_refused():
    with pytest.raises(ContextError, match="aspect"):
        SMALL.load(frames(2, 4020, 20))


def test_pictures_and_videos_of_many_sizes_in_one_batch():
    processor = Processor(ImageProcessor(patch_size=4, min_pixels=64, max_pixels=40_000), SMALL)
    wide, tall = frames(1, 64, 16)[0], frames(1, 16, 96)[0]
    video = processor.load_video(frames(5))
    pixels, grid = processor([wide, video, tall])
    assert [tuple(row) for row in grid.tolist()] == [processor.grid(v) for v in (wide, video, tall)]
    apart = [processor([each])[0] for each in (wide, video, tall)]
    assert torch.equal(pixels, torch.cat(apart))
    assert processor.tokens(video) * len(video.moments) == grid[1].prod() // 4


def test_the_checkpoint_says_how(tmp_path: Path):
    (tmp_path / "preprocessor_config.json").write_text('{"patch_size": 8, "image_mean": [0.1, 0.2, 0.3]}')
    assert Processor.from_pretrained(tmp_path).videos == VideoProcessor(8, image_mean=(0.1, 0.2, 0.3))
    path = tmp_path / "video_preprocessor_config.json"
    path.write_text('{"fps": 1, "max_frames": 9, "size": {"shortest_edge": 50, "longest_edge": 60}}')
    expected = VideoProcessor(fps=1, max_frames=9, min_pixels=50, max_pixels=60)
    assert Processor.from_pretrained(tmp_path).videos == expected
    for content in ("{", '{"do_sample_frames": false}', '{"cap_pixels_per_frame": true}', '{"resample": 2}'):
        path.write_text(content)
        with pytest.raises(CheckpointError, match=r"video_preprocessor_config\.json"):
            Processor.from_pretrained(tmp_path)
