"""A method with the larger student, a tenth of the teacher.

METHOD=gendd_flow python tools/train.py configs/fashion_mnist/large.py
"""

_base_ = ['{{$METHOD:gendd}}.py']
work_dir = 'work_dirs/{{$METHOD:gendd}}_fashion_mnist_large_{{$DATA:supervised}}'

student_dim = 36

__student = dict(
    backbone=dict(stem_channels=9, base_channels=9), head=dict(in_channels=student_dim)
)
__method = '{{$METHOD:gendd}}'
model = __student if __method == 'student' else dict(architecture=__student)
if __method.startswith(('gendd', 'regression')):
    model['distiller'] = dict(
        connectors=dict(condition=dict(normalized_shape=student_dim)),
        distill_losses=dict(loss_gendd=dict(head=dict(condition_dim=student_dim))),
    )
