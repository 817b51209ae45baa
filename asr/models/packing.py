"""States of all utterances one after another, so that layers which treat each alone compute nothing for padding."""

from torch import Tensor

from asr.models.masks import length_mask


class Packing:
    """Where each state of a padded batch stands when all real ones stand one after another.

    Args:
        lens: (B,) int64 lengths.
        size: Padded length S.

    Attributes:
        lens: As given.
        places: (R,) int64, the place of each of the R real states in the padded batch, flattened.
    """

    def __init__(self, lens: Tensor, size: int) -> None:
        self.lens, self.size = lens, size
        self.places = length_mask(lens, size).flatten().nonzero().squeeze(1)

    def pack(self, padded: Tensor) -> Tensor:
        """(B, S, D) -> (R, D); what stands in the padding is left out, NaN included."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def unpack(self, rows: Tensor) -> Tensor:
        """(R, D) -> (B, S, D), zero in the padding."""
        padded = rows.new_zeros(len(self.lens) * self.size, rows.shape[1])
        return padded.index_copy(0, self.places, rows).unflatten(0, (-1, self.size))
