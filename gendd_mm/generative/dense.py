"""Dense features as rows: the head learns them cell by cell."""

from torch import Tensor, nn


class MapsToRows(nn.Module):
    """Turn maps or tokens into rows, one for each cell.

    A cell of the teacher's map is a target, and the student's cell at the same place its
    condition. Both maps need the same grid: pool the finer to the coarser. The rows follow
    each other in the same order in both, image by image and line by line.
    ``GenDDLoss(num_rows=...)`` learns some of them at each step.

    It has no parameters and no state, so one serves student and teacher.

    Example:
        >>> import torch
        >>> from gendd_mm.generative import MapsToRows
        >>> maps = torch.randn(2, 8, 4, 6)
        >>> to_rows = MapsToRows()
        >>> rows = to_rows(maps)
        >>> rows.shape
        torch.Size([48, 8])
        >>> to_rows.inverse(rows, (4, 6)).equal(maps)
        True
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Put the cells into rows.

        Args:
            maps: Maps (B, C, H, W), or tokens (B, N, C).

        Returns:
            Rows, shape (B * H * W, C) or (B * N, C).

        Raises:
            ValueError: If they have another number of dimensions.
        """
        if not isinstance(maps, Tensor) or maps.dim() not in (3, 4):
            what = f'shape {tuple(maps.shape)}' if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(
                f'MapsToRows got {what} instead of maps (B, C, H, W) or tokens (B, N, C); '
                'choose one of a record with several by data_idx.'
            )
        cells = maps.permute(0, 2, 3, 1) if maps.dim() == 4 else maps
        return cells.flatten(0, -2)

    def inverse(self, rows: Tensor, grid: tuple[int, ...]) -> Tensor:
        """Put rows back, for instance those that a head has sampled.

        Args:
            rows: All rows of the maps, in order, shape (..., B * H * W, C).
            grid: ``(H, W)`` of maps, or ``(N,)`` of tokens.

        Returns:
            Maps, shape (..., B, C, H, W), or tokens, shape (..., B, N, C).
        """
        cells = rows.unflatten(-2, (-1, *grid))
        return cells.movedim(-1, -3) if len(grid) == 2 else cells
