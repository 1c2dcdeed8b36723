"""GenDD on the digits in two stages: warm-up, then GenDD from its backbone.

    python tools/train.py configs/digits/gendd_digits_two_stages.py --resume
    bash tools/dist_train.sh configs/digits/gendd_digits_two_stages.py 2 --resume

Needs the teacher: ``configs/digits/teacher_digits.py``.
"""

_base_ = ['../gendd_digits.py']

stage1 = dict(config='{{ fileDirname }}/warmup_digits.py')
