"""CC3M in the paper's epochs of 5,500 iterations of 512 images.

Whatever could be downloaded; and unlike an iteration-based run, it resumes
without reading what came before.
"""

_base_ = ['cc3m_shards.py']

train_dataloader = dict(
    sampler=dict(_delete_=True, type='gendd_mm.FixedLengthSampler', length=5500 * 512)
)
