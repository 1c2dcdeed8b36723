"""GenDD on the digits without labels: no contraction, no probe.

bash tools/dist_train.sh configs/digits/gendd_digits_unsupervised.py 2
"""

_base_ = ['../gendd_digits.py']

# Without contraction nothing reads labels, so the distiller drops them from
# its mappings.
model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
