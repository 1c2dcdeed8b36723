"""A config of the paper with the authors' choices where ours differ.

    CONFIG=imagenet/gendd_resnet34_resnet18_8xb64_in1k \\
        bash tools/dist_train.sh configs/_base_/paper_exact.py 8 --resume

``CONFIG`` is the path of one of GenDD in ``configs/``, without ``.py``. docs/method.md
has the table of the differences; those that no setting can undo are there too.
"""

_base_ = ['../{{$CONFIG:gendd_r50_in1k}}.py']
__config = '{{$CONFIG:gendd_r50_in1k}}'
__name = __config.split('/')[-1]
if not __name.startswith('gendd_'):
    raise ValueError(
        f'CONFIG={__config} is not one of GenDD, the only ones with choices to undo; name one '
        'without .py, as in CONFIG=imagenet/gendd_resnet34_resnet18_8xb64_in1k.'
    )
work_dir = f'work_dirs/{__name}_paper-exact'


def __once_an_epoch(scheduler: dict) -> dict:
    """Epoch e of w of the warm-up has (e + 1) / w of the rate."""
    if scheduler['type'] == 'gendd_mm.CosineAnnealingBeta2':
        return scheduler
    changed = dict(scheduler, convert_to_iter_based=False)
    if scheduler['type'] == 'LinearLR':
        changed['start_factor'] = 1 / scheduler['end']
    return changed


# The rate of both stages changes once an epoch.
param_scheduler = [__once_an_epoch(scheduler) for scheduler in _base_.param_scheduler]
if 'stage1' in _base_:
    stage1 = dict(param_scheduler={'0': dict(convert_to_iter_based=False)})

# The condition's layer norm is decayed as the student is.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'distiller.connectors': dict(decay_mult=1.0)}))

# Sampling starts at the last step of the diffusion.
model = dict(
    distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(sampling=dict(start_t=999)))))
)

# Evaluated every epoch; the best is the result.
train_cfg = dict(val_interval=1)
default_hooks = dict(checkpoint=dict(save_best='gen/top1', rule='greater'))
