"""Stage 1: the student through the frozen classifier of its teacher."""

from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from gendd_mm.checkpoint import read_state_dict
from gendd_mm.registry import MODELS


@MODELS.register_module()
class ReusedClassifierHead(ClsHead):
    """Project to the teacher's feature size, classify with its classifier.

    The optional warm-up of GenDD (arXiv 2507.14503, stage 1): backbone,
    ``Linear(S, D)`` (identity when S = D), frozen teacher classifier, cross-entropy.

    Args:
        num_classes: Number of classes C.
        in_channels: Student feature size S.
        teacher_dim: Teacher feature size D.
        teacher_ckpt: Teacher checkpoint that holds the classifier. None leaves it at
            its initialisation, for loading a warm-up checkpoint, which holds it too.
        teacher_classifier: Name of the classifier in that checkpoint. Defaults to
            ``'head.fc'``.
        projection: Config of another projection; ``in_channels`` and ``out_channels``
            are filled in. If it gives a map, that is averaged before the classifier.
            None means ``Linear(S, D)``, or the identity when S = D. Defaults to None.
        init_cfg: Initialisation config. Defaults to None.
        kwargs: ``loss``, ``topk``, ``cal_acc`` of :class:`mmpretrain.models.ClsHead`.

    Raises:
        ValueError: If the checkpoint lacks the classifier or its shape does not fit.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        teacher_dim: int,
        teacher_ckpt: str | None,
        teacher_classifier: str = 'head.fc',
        projection: dict | None = None,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg=init_cfg, **kwargs)
        self.num_classes = num_classes
        self.in_channels = in_channels
        if projection is not None:
            self.projection = MODELS.build(
                dict(
                    projection,
                    in_channels=in_channels,
                    out_channels=teacher_dim,
                    _scope_='gendd_mm',
                )
            )
        else:
            self.projection = (
                nn.Identity() if in_channels == teacher_dim else nn.Linear(in_channels, teacher_dim)
            )
        self.classifier = nn.Linear(teacher_dim, num_classes)
        self.teacher_ckpt = teacher_ckpt
        self.teacher_classifier = teacher_classifier
        # Already here, so that a wrong file is an error before training.
        self._load_classifier()
        self.classifier.requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise the projection; the classifier stays the teacher's."""
        super().init_weights()
        # An init_cfg, of this head or of the whole model, takes every Linear.
        self._load_classifier()

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Class scores, shape (B, C), from the last stage's feature."""
        feature = self.projection(self.pre_logits(feats))
        if feature.dim() == 4:
            feature = feature.mean((2, 3))
        return self.classifier(feature)

    def _load_classifier(self) -> None:
        path, name = self.teacher_ckpt, self.teacher_classifier
        if path is None:
            return
        weights = read_state_dict(path)
        for key, parameter in self.classifier.named_parameters():
            full = f'{name}.{key}'
            if full not in weights:
                raise ValueError(
                    f'{full!r} is not in {path!r}; set teacher_classifier to '
                    "the name of the teacher's last linear layer there."
                )
            if weights[full].shape != parameter.shape:
                raise ValueError(
                    f'{full!r} in {path!r} has shape {tuple(weights[full].shape)}, but num_classes='
                    f'{self.num_classes} and teacher_dim={self.classifier.in_features} ask for '
                    f'{tuple(parameter.shape)}.'
                )
            parameter.data.copy_(weights[full])
