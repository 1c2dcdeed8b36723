"""The algorithm: train by GenDD, predict by both paths."""

import torch
from mmengine.dist import get_rank
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from mmrazor.models.algorithms import SingleTeacherDistill
from torch import Tensor, nn

from gendd_mm.models.heads import LinearProbeHead, NoHead, TeacherClassifierHead
from gendd_mm.registry import MODELS

from .build_teacher import build_teacher
from .classifier_search import find_classifier
from .frozen_teacher import FrozenTeacher
from .measured_sizes import with_measured_sizes
from .pair_checks import check_pair, num_classes_of
from .renormalize import Renormalize
from .teacher_features import attach_features, feature_sizes
from .teacher_records import feature_names, with_teacher_records


@MODELS.register_module()
class GenDD(SingleTeacherDistill):
    """Generative Distribution Distillation (arXiv 2507.14503).

    Training is MMRazor's: the teacher runs to its scores, the student its own loss, the
    distiller the generative one on what enters the teacher's last linear layer.
    Prediction gives two answers: ``pred_score`` by the generative path (sampled teacher
    features through the teacher's classifier) and ``probe_score`` by the student's own
    head.

    The teacher is frozen, in eval mode as a whole, sees the images in its own
    normalisation, and is in no checkpoint: resuming rebuilds it.

    Sizes and class counts that the configs leave open are measured: ``target_dim``,
    ``condition_dim``, the ``normalized_shape`` of the connector ``condition``, and the
    student's ``in_channels`` and ``num_classes``. Stated ones are compared.

    Args:
        architecture: The student: a classifier or its config.
        distiller: Config of a :class:`GenDDDistiller`.
        teacher: Config of the teacher, or a built model with its weights.
        teacher_ckpt: Weights of the teacher, loaded strictly. Needed unless the config
            names its own. Defaults to None.
        teacher_classifier: Name of the linear layer that gives the teacher's scores.
            ``'auto'`` finds it by running the teacher once. None means that it has none:
            its feature is learned (:func:`teacher_features`), and there is no
            ``pred_score``. Defaults to ``'auto'``.
        teacher_dtype: Precision in which the teacher runs, ``'float32'``,
            ``'bfloat16'`` or ``'float16'``. None is that of the run (float32 without
            ``--amp``). Defaults to None.
        channels_last: Whether images and convolutions of both models are laid out
            channels last, which tensor cores and most CPUs prefer. Defaults to False.
        compile: Whether torch.compile turns both backbones and the layers of the
            denoiser into kernels, or a dict of its options. Of models without
            ``backbone``, such as ``TimmClassifier``, a teacher is compiled as a whole, a
            student is not. MMEngine's ``compile=True`` would include the optimizer, which
            torch 2.14 refuses. Defaults to False.
        val_num_draws: Draws per image in validation. Defaults to 1.
        test_num_draws: Draws per image in testing. Defaults to 2; the paper takes 5,
            with its sampler.
        sample_seed: Seed of the sampling noise; every evaluation starts from it, so
            that it is repeatable and does not disturb training. Defaults to 0.
        kwargs: ``data_preprocessor``, ``init_cfg`` and others of
            :class:`mmrazor.models.algorithms.SingleTeacherDistill`.

    Raises:
        ValueError: If sizes, draws or preprocessors do not fit, or the teacher has no
            weights or ones that do not fit.
    """

    teacher: FrozenTeacher

    def __init__(
        self,
        architecture: BaseModel | dict,
        distiller: dict,
        teacher: BaseModel | dict,
        teacher_ckpt: str | None = None,
        teacher_classifier: str | None = 'auto',
        teacher_dtype: str | None = None,
        channels_last: bool = False,
        compile: bool | dict = False,
        val_num_draws: int = 1,
        test_num_draws: int = 2,
        sample_seed: int = 0,
        **kwargs,
    ) -> None:
        for name, value in (('val_num_draws', val_num_draws), ('test_num_draws', test_num_draws)):
            if value < 1:
                raise ValueError(
                    f'{name}={value} must be at least 1: the '
                    'generative path averages that many draws.'
                )
        if kwargs.get('teacher_trainable', False):
            raise ValueError(
                'teacher_trainable=True: the teacher of GenDD is frozen, as its features are the '
                'target; leave the option out.'
            )
        # The student starts from the same weights whatever network teaches it, or none.
        with torch.random.fork_rng(devices=[]):
            model = build_teacher(teacher, teacher_ckpt, features_only=teacher_classifier is None)
        classifier: str | None = None
        if teacher_classifier is None:
            names = dict.fromkeys(['pooled', *feature_names(distiller)])
            sizes = feature_sizes(model, names)
            attach_features(model, names)
            architecture, distiller = with_measured_sizes(architecture, distiller, sizes)
        else:
            classifier = find_classifier(model, teacher_classifier)
            architecture, distiller = with_measured_sizes(
                architecture, distiller, model.get_submodule(classifier)
            )
        # FrozenTeacher keeps the whole teacher in eval mode.
        super().__init__(
            architecture=architecture,
            distiller=with_teacher_records(distiller, model, classifier),
            teacher=model,
            teacher_norm_eval=False,
            **kwargs,
        )
        self.val_num_draws = val_num_draws
        self.test_num_draws = test_num_draws
        self.sample_seed = sample_seed
        self._generator: torch.Generator | None = None
        del self.teacher  # the module that MMRazor registered
        self.teacher = FrozenTeacher(
            model,
            Renormalize(self.data_preprocessor, getattr(model, 'data_preprocessor', None)),
            classifier,
            teacher_dtype,
        )
        own = getattr(self.student, 'head', None)
        if isinstance(own, TeacherClassifierHead):
            if self.teacher.classifier is None:
                raise ValueError(
                    'TeacherClassifierHead needs a teacher with a classifier, but '
                    "teacher_classifier=None; take head=dict(type='gendd_mm.NoHead')."
                )
            own.borrow(self.teacher.classifier)
        self.channels_last = channels_last
        self.student.to(memory_format=self.memory_format)
        self.teacher.model.to(memory_format=self.memory_format)
        check_pair(self)
        if compile is not False:
            self._compile({} if compile is True else compile)

    @property
    def memory_format(self) -> torch.memory_format:
        """How images are laid out."""
        # No attribute: torch.save(model) cannot store one.
        return torch.channels_last if self.channels_last else torch.preserve_format

    def train(self, mode: bool = True) -> 'GenDD':
        """Set the mode; leaving training restarts the sampling noise."""
        super().train(mode)
        if not mode:
            self._generator = None
        return self

    def loss(self, batch_inputs: Tensor, data_samples: list[DataSample] | None = None) -> dict:
        """Losses of a batch of preprocessed images, shape (B, 3, H, W)."""
        try:
            return super().loss(batch_inputs.to(memory_format=self.memory_format), data_samples)
        except (AttributeError, TypeError) as error:
            # Asked only now: the check costs a step nothing.
            _explain_missing_labels(data_samples)
            raise error

    def val_step(self, data: dict) -> list[DataSample]:
        """Predict with ``val_num_draws`` draws."""
        return self._evaluate(data, self.val_num_draws)

    def test_step(self, data: dict) -> list[DataSample]:
        """Predict with ``test_num_draws`` draws."""
        return self._evaluate(data, self.test_num_draws)

    def _evaluate(self, data: dict, num_draws: int) -> list[DataSample]:
        data = self.data_preprocessor(data, False)
        samples = self.predict(data['inputs'], data['data_samples'], num_draws)
        if self.teacher.classifier is None:
            # For FeatureQuality.
            with self.distiller.teacher_recorders:
                self.teacher.extract_feat(data['inputs'], samples)
            targets = self.distiller.target()
            for sample, target in zip(samples, targets, strict=True):
                sample.set_field(target, 'target')
        return samples

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ):
        """As MMRazor's, but ``mode='predict'`` gives both predictions."""
        if mode == 'predict':
            return self.predict(inputs, data_samples, self.test_num_draws)
        return super().forward(inputs, data_samples, mode)

    @torch.no_grad()
    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        num_draws: int = 1,
        with_draws: bool = False,
    ) -> list[DataSample]:
        """Classify by the generative path and by the probe.

        Args:
            inputs: Preprocessed images, shape (B, 3, H, W).
            data_samples: Samples to write to. None makes new ones.
            num_draws: Draws K per image, at least 1.
            with_draws: Whether samples also get the class probabilities of each draw,
                ``draw_scores``, shape (K, C). ``pred_score`` is of their mean feature.

        Returns:
            The samples with ``pred_score`` and ``pred_label`` of the generative path,
            unless the student has other classes than the teacher, and, unless the probe
            is untrained, ``probe_score`` and ``probe_label``. With a teacher that has no
            classifier, the student's ``feature``, shape (S,), which ships, and the
            ``generated`` feature of the teacher, shape (D,), instead of scores.

        Raises:
            ValueError: If draws are to have scores and there is no classifier for them.
        """
        if with_draws and not self.has_teachers_classes:
            raise ValueError(
                "with_draws=True: draws have scores only by the teacher's classifier, and this "
                'student has none or other classes; leave it out.'
            )
        inputs = inputs.to(memory_format=self.memory_format)
        with self.distiller.student_recorders:
            probe_logits = self.student(inputs, mode='tensor')
        if data_samples is None:
            data_samples = [DataSample() for _ in range(len(inputs))]
        if self.teacher.classifier is None:
            own = self.distiller.condition()
            generated = self.distiller.generate(num_draws, self._sampling_noise(inputs.device))
            for sample, feature, drawn in zip(data_samples, own, generated, strict=True):
                sample.set_field(feature, 'feature')
                sample.set_field(drawn, 'generated')
        elif self.has_teachers_classes:
            draws = self.distiller.draws(num_draws, self._sampling_noise(inputs.device))
            scores = self.teacher.classify(draws.mean(0)).softmax(-1)
            for sample, score in zip(data_samples, scores, strict=True):
                sample.set_pred_score(score)
                sample.set_pred_label(score.argmax())
            if with_draws:
                each = self.teacher.classify(draws.flatten(0, 1)).softmax(-1)
                by_image = each.unflatten(0, draws.shape[:2]).transpose(0, 1)
                for sample, draw_scores in zip(data_samples, by_image, strict=True):
                    sample.set_field(draw_scores, 'draw_scores')
        if self.has_probe:
            for sample, probe_score in zip(data_samples, probe_logits.softmax(-1), strict=True):
                sample.set_field(probe_score, 'probe_score')
                sample.set_field(probe_score.argmax(), 'probe_label')
        return data_samples

    @property
    def backbone(self) -> nn.Module:
        """The student's, for tools that look into a classifier of mmpretrain."""
        return self.student.backbone

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> tuple[Tensor, ...]:
        """The student's features of preprocessed images, as of a classifier of mmpretrain.

        So that mmpretrain's ``get_flops.py`` and ``vis_tsne.py`` take a config of GenDD.

        Args:
            inputs: Preprocessed images, shape (B, 3, H, W).
            stage: ``'backbone'``, ``'neck'`` or ``'pre_logits'``.

        Returns:
            What the student's ``extract_feat`` gives.
        """
        return self.student.extract_feat(inputs.to(memory_format=self.memory_format), stage=stage)

    @property
    def has_probe(self) -> bool:
        """Whether the student's own head is trained."""
        head = getattr(self.student, 'head', None)
        return not isinstance(head, (LinearProbeHead, NoHead)) or head.trainable

    @property
    def has_teachers_classes(self) -> bool:
        """Whether labels are of the teacher's classes; a trained probe may have others."""
        if self.teacher.classifier is None:
            return False
        theirs = self.teacher.classifier.out_features
        return not self.has_probe or num_classes_of(self.student) in (None, theirs)

    def _sampling_noise(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device != device:
            # Each rank has images of its own, so noise of its own.
            self._generator = torch.Generator(device).manual_seed(self.sample_seed + get_rank())
        return self._generator

    def _apply(self, fn, *args, **kwargs) -> nn.Module:
        super()._apply(fn, *args, **kwargs)
        self.teacher.apply_to_tensors(fn)
        return self

    def _compile(self, options: dict) -> None:
        """Compile the expensive modules one by one.

        In place, so that state dicts and MMRazor's recorders see no change.
        """
        losses = (self.distiller.distill_losses[name] for name in self.distiller.gendd_names)
        # A linear head has none, and is cheap.
        denoisers = [loss.head.denoiser for loss in losses if hasattr(loss.head, 'denoiser')]
        student = [self.student.backbone] if hasattr(self.student, 'backbone') else []
        parts = [part for each in denoisers for part in (each.modulation, *each.blocks)]
        for module in (*student, *parts):
            module.compile(**options)
        self.teacher.compile(options)


def _explain_missing_labels(data_samples: list[DataSample] | None) -> None:
    """Raise an error that says so if a sample has no label."""
    for index, sample in enumerate(data_samples or [DataSample()]):
        if 'gt_label' not in sample and 'gt_score' not in sample:
            raise ValueError(
                f'sample {index} of the batch ({sample.get("img_path", "no img_path")}) has no '
                'gt_label, but the probe or the contraction reads labels; take a labelled '
                'dataset, or for unlabeled images contraction=None and trainable=False of the '
                'probe.'
            )
