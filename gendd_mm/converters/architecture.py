"""A network, and the names of its weights in another project."""

from dataclasses import dataclass, field

# Patterns, each of a whole key, and what the key becomes.
Rules = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Architecture:
    """A classifier and where its weights come from.

    Args:
        backbone: Config of its backbone.
        feature_dim: Size of the vector that enters the last linear layer.
        rules: The names of its weights in the other project and here. The
            first pattern that matches is used.
        neck: Config of its neck; None if the backbone pools by itself.
    """

    backbone: dict
    feature_dim: int
    rules: Rules
    neck: dict | None = field(default_factory=lambda: dict(type='GlobalAveragePooling'))

    def classifier(self, num_classes: int) -> dict:
        """Config of the ``ImageClassifier``."""
        return dict(
            type='ImageClassifier',
            backbone=dict(self.backbone),
            neck=self.neck,
            head=dict(
                type='LinearClsHead',
                num_classes=num_classes,
                in_channels=self.feature_dim,
                loss=dict(type='CrossEntropyLoss'),
            ),
        )
