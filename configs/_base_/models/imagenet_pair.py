"""Teacher and student of a baseline on ImageNet, by environment variables.

    TEACHER=resnet50 STUDENT=mobilenet-v1 bash tools/dist_train.sh CONFIG 8

The pairs are the two that the settings of the baselines are for.
"""

_base_ = [
    'teachers/{{$TEACHER:resnet34}}.py',
    'students/{{$STUDENT:resnet18}}.py',
]

# MMEngine keeps names with two underscores out of the config.
__pair = 'TEACHER={{$TEACHER:resnet34}} STUDENT={{$STUDENT:resnet18}}'
__pairs = [
    'TEACHER=resnet34 STUDENT=resnet18',
    'TEACHER=resnet50 STUDENT=mobilenet-v1',
]
if __pair not in __pairs:
    raise ValueError(
        f'{__pair} is not a pair that the baselines on ImageNet have settings for; '
        f'choose from {__pairs}, or write a config of your own (docs/own_pair.md).'
    )
