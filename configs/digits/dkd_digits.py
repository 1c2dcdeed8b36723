"""Decoupled knowledge distillation (DKD) of the digits student, by MMRazor.

Zhao et al., arXiv 2203.08679: cross-entropy plus target-class and
non-target-class KL at temperature 4, weights 1 and 8, means over the batch.

    python tools/train.py configs/digits/dkd_digits.py
"""
_base_ = ['kd_digits.py']

model = dict(
    distiller=dict(
        student_recorders=dict(
            labels=dict(
                type='mmrazor.ModuleInputs', source='head.loss_module')),
        distill_losses=dict(
            _delete_=True,
            loss_dkd=dict(
                type='mmrazor.DKDLoss',
                tau=4,
                alpha=1.,
                beta=8.,
                # MMRazor's DKDLoss passes size_average=False to kl_div, which
                # overrides reduction with a sum: 1/32 makes it the mean.
                loss_weight=1 / 32)),
        loss_forward_mappings=dict(
            _delete_=True,
            loss_dkd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
                gt_labels=dict(
                    recorder='labels', from_student=True, data_idx=1)))))
