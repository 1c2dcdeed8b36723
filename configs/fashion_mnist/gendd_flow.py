"""GenDD by a rectified flow on targets of unit variance, four Euler steps.

DATA=long_tailed python tools/train.py configs/fashion_mnist/gendd_flow.py
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/gendd_flow_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    target_scale='auto',
                    process=dict(type='RectifiedFlow'),
                    sampling=dict(type='euler', num_steps=4),
                )
            )
        )
    )
)
