"""The vision encoder on a GPU without its host: one CUDA graph for each size of picture that comes again.

A screen has one size for hours, and several hundred small kernels that Python would start one by one. Knows
sizes and when to replay; what the encoder computes is in `vision/encoder.py`. On a CPU it runs as it is.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..vision.encoder import VisionFeatures
from .graphs import Capture, Known
from .vlm import VisionLanguageModel

KEPT = 4  # sizes with a graph; a graph of 1280 x 800 px holds some 100 MB
MOST_PATCHES = 8192  # 1920 x 1088 px: beyond, starting kernels takes no share worth the memory

Work = Callable[[], VisionFeatures]


@dataclass(frozen=True)
class Captured:
    """Reads `pixels` where they lie, and leaves its result where it left the last one."""

    pixels: Tensor
    replay: Work

    def __call__(self, pixel_values: Tensor) -> VisionFeatures:
        self.pixels.copy_(pixel_values)
        result = self.replay()
        return VisionFeatures(result.tokens.clone(), tuple(tap.clone() for tap in result.deepstack))


class TowerGraphs:
    """Called as `model.encode_images` is, with the same result.

    `capture`: makes something that replays a piece of work; None: a CUDA graph, and nothing on a CPU.
    """

    def __init__(self, model: VisionLanguageModel, capture: Callable[[Work], Work] | None = None):
        self.model = model
        self._capture = capture or (Capture() if model.device.type == "cuda" else None)
        self._ready: OrderedDict[tuple[int, ...], Captured] = OrderedDict()
        self._known = Known()

    def __call__(self, pixel_values: Tensor, grid_thw: Tensor) -> VisionFeatures:
        """pixel_values [P, C*T*p*p]; grid_thw [images, 3] in patches, on the CPU."""
        grid = tuple(grid_thw.flatten().tolist())
        if grid not in self._ready and not self._wants(grid, len(pixel_values)):
            return self.model.encode_images(pixel_values, grid_thw)
        if grid not in self._ready:
            self._keep(grid, pixel_values, grid_thw)
        self._ready.move_to_end(grid)
        return self._ready[grid](pixel_values)

    @property
    def grids(self) -> list[tuple[int, ...]]:
        """Those with a graph, the latest used last."""
        return list(self._ready)

    def _wants(self, grid: tuple[int, ...], patches: int) -> bool:
        """From the second time on: a graph costs several runs, and a picture of its own size never pays."""
        if self._capture is None or len(grid) != 3 or patches > MOST_PATCHES:
            return False
        return self._known(grid)

    def _keep(self, grid: tuple[int, ...], pixel_values: Tensor, grid_thw: Tensor) -> None:
        assert self._capture is not None
        while len(self._ready) >= KEPT:
            self._ready.popitem(last=False)
        pixels, sizes = pixel_values.clone(), grid_thw.clone()
        self._ready[grid] = Captured(pixels, self._capture(lambda: self.model.encode_images(pixels, sizes)))
