"""KL between standardised logits (LSKD) with its authors' CIFAR-100 weights.

Cross-entropy with 0.1, the KL with 9 at base temperature 2.
"""

_base_ = ['lskd.py']

model = dict(architecture=dict(head=dict(num_classes=100, loss=dict(loss_weight=0.1))))
