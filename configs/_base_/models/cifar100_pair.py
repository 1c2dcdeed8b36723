"""Teacher and student of a baseline on CIFAR-100, by environment variables.

    TEACHER=vgg13 STUDENT=vgg8 python tools/train.py CONFIG

The pairs are the six that the settings of the baselines are for.
"""

_base_ = [
    'teachers/cifar100_{{$TEACHER:resnet56}}.py',
    'students/cifar100_{{$STUDENT:resnet20}}.py',
]

# MMEngine keeps names with two underscores out of the config.
__pair = 'TEACHER={{$TEACHER:resnet56}} STUDENT={{$STUDENT:resnet20}}'
__pairs = [
    'TEACHER=resnet56 STUDENT=resnet20',
    'TEACHER=resnet110 STUDENT=resnet32',
    'TEACHER=resnet32x4 STUDENT=resnet8x4',
    'TEACHER=wrn-40-2 STUDENT=wrn-16-2',
    'TEACHER=wrn-40-2 STUDENT=wrn-40-1',
    'TEACHER=vgg13 STUDENT=vgg8',
]
if __pair not in __pairs:
    raise ValueError(
        f'{__pair} is not a pair that the baselines on CIFAR-100 have settings for; '
        f'choose from {__pairs}, or write a config of your own (docs/own_pair.md).'
    )
