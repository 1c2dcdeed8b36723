"""GenDD without contraction: labels reach the probe alone."""

_base_ = ['gendd.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=dict(strength=0)))))
