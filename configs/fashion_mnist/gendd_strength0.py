"""GenDD without contraction: labels reach the probe alone.

DATA=long_tailed python tools/train.py configs/fashion_mnist/gendd_strength0.py
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/gendd_strength0_fashion_mnist_{{$DATA:supervised}}'

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=dict(strength=0)))))
