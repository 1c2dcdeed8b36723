"""Another strength of the contraction than 0.9.

    STRENGTH=0.5 bash tools/dist_train.sh configs/digits/ablations/strength.py 2

At 0 labels reach the probe alone; at 1 the targets are the centres.
"""

_base_ = ['../../gendd_digits.py']
work_dir = 'work_dirs/strength_{{$STRENGTH:0}}'

model = dict(
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(contraction=dict(strength={{'$STRENGTH:0'}})))
    )
)
