"""Another number of noisy copies of a token than 8.

REPEATS=32 bash tools/dist_train.sh configs/digits/ablations/repeats.py 2
"""

_base_ = ['../../gendd_digits.py']
work_dir = 'work_dirs/repeats_{{$REPEATS:1}}'

model = dict(
    distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(repeats={{'$REPEATS:1'}}))))
)
