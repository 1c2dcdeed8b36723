"""A rectified flow, its velocity, four Euler steps.

bash tools/dist_train.sh configs/digits/ablations/rectified_flow.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    process=dict(type='RectifiedFlow'), sampling=dict(type='euler', num_steps=4)
                )
            )
        )
    )
)
