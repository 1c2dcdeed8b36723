"""GenDD on CC3M, 100 x 5,500 iterations; the pair is open.

Neither contraction nor probe, and no stage 1: these read labels.
"""

_base_ = [
    '../../_base_/models/gendd_imagenet.py',
    '../../_base_/datasets/cc3m_5500.py',
    '../../_base_/schedules/imagenet_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}}, head=dict(trainable=False)
    ),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
