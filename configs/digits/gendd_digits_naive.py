"""Naive GenDD on the digits: one token, the whole feature (the ablation).

    bash tools/dist_train.sh configs/digits/gendd_digits_naive.py 2
"""
_base_ = ['../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    tokenizer=dict(
                        type='SplitTokenizer',
                        token_dim={{_base_.teacher_dim}}))))))
