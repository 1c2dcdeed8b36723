"""Decoupled distillation (DKD, arXiv 2203.08679) by MMRazor; the pair is open.

Temperature 1, weights 1 and 0.5, as in its authors' and MMRazor's configs for
ImageNet.
"""

_base_ = ['kd.py']

model = dict(
    distiller=dict(
        student_recorders=dict(labels=dict(type='mmrazor.ModuleInputs', source='head.loss_module')),
        # DKD needs one target class; mixed images have two.
        connectors=dict(target_class=dict(type='gendd_mm.DominantClass')),
        distill_losses=dict(
            _delete_=True,
            loss_dkd=dict(
                type='mmrazor.DKDLoss',
                tau=1,
                alpha=1.0,
                beta=0.5,
                # The mean over the batch. MMRazor's own configs say 'mean',
                # which it turns into a sum (by kl_div's size_average).
                reduction='batchmean',
            ),
        ),
        loss_forward_mappings=dict(
            _delete_=True,
            loss_dkd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
                gt_labels=dict(
                    recorder='labels', from_student=True, data_idx=1, connector='target_class'
                ),
            ),
        ),
    )
)
