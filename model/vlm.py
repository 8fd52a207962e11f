"""The whole network: vision encoder, language model, head and multi-token predictor.

Module names mirror the official checkpoints (`model.language_model.*`, `model.visual.*`, `lm_head`, `mtp.*`)
with the leading `model.` taken off, so the table of weights is nearly the identity.

Shapes: B batch, T tokens, D model dim, n visual tokens in reading order over the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import ContextError
from ..vision.encoder import Operations, VisionEncoder, VisionFeatures
from . import kernels
from .cache import HybridCache
from .config import ModelConfig
from .decoder import Decoder
from .mtp import MultiTokenPredictor

FAST = Operations(kernels.linear_gelu, kernels.rotate, kernels.full_attention)


class VisionLanguageModel(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.visual = VisionEncoder(config.vision, FAST)
        self.language_model = Decoder(config.text)
        self.lm_head = None
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)
        self.mtp = MultiTokenPredictor(config.text) if config.text.mtp_num_hidden_layers else None

    @property
    def device(self) -> torch.device:
        return self.language_model.norm.weight.device

    def empty_cache(self, padding: Tensor | None = None) -> HybridCache:
        """`padding` [B]: how many pads stand at the left of each sequence of the batch."""
        return HybridCache.empty(self.config.text.num_hidden_layers, padding)

    def encode_images(self, pixel_values: Tensor, grid_thw: Tensor) -> VisionFeatures:
        """pixel_values [patches, C*T*p*p]; grid_thw [images, 3] in patches (time, height, width)."""
        return self.visual(pixel_values, grid_thw)

    def forward(
        self, input_ids: Tensor, positions: Tensor, cache: HybridCache | None = None,
        features: VisionFeatures | None = None,
    ) -> Tensor:  # fmt: skip
        """Hidden states [B, T, D] after the final norm; `cache`, when given, advances by T.

        input_ids [B, T]; positions [3, B, T]; `features` fill the visual tokens of input_ids in order.
        Raises ContextError when their number is not that of the visual tokens.
        """
        x_BTD, taps = self.embed(input_ids, features)
        return self.language_model(x_BTD, positions, cache or self.empty_cache(), taps)

    def embed(self, input_ids: Tensor, features: VisionFeatures | None = None) -> tuple[Tensor, Sequence]:
        """Embeddings [B, T, D] with the visual tokens in their places, and the DeepStack taps likewise. Of
        `input_ids` on the host they are counted there, and nothing waits for the device."""
        x_BTD = self.language_model.embed_tokens(input_ids.to(self.device, non_blocking=True))
        if features is None:
            return x_BTD, ()
        visual = self.visual_mask(input_ids)
        if int(visual.sum()) != len(features.tokens):
            raise ContextError(
                f"the prompt has {int(visual.sum())} picture tokens and its pictures give "
                f"{len(features.tokens)}: write one placeholder for each token of a picture"
            )
        visual, blank = visual.to(self.device, non_blocking=True), torch.zeros_like(x_BTD)
        taps = [blank.masked_scatter(visual, tap.to(x_BTD.dtype)) for tap in features.deepstack]
        return x_BTD.masked_scatter(visual, features.tokens.to(x_BTD.dtype)), taps

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [..., D] -> [..., vocab]."""
        head = self.lm_head or self.language_model.embed_tokens
        return kernels.project(hidden, head.weight)[0]

    def visual_mask(self, input_ids: Tensor) -> Tensor:
        """[B, T, 1], true where an image or video token stands."""
        is_image = input_ids == self.config.image_token_id
        return (is_image | (input_ids == self.config.video_token_id)).unsqueeze(-1)
