"""What every run shares: imports, hooks, logging, seeds."""

custom_imports = dict(imports=['gendd_mm'], allow_failed_imports=False)
default_scope = 'mmpretrain'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        # Killed while saving, a run still has all that was saved before.
        backend_args=dict(backend='gendd_mm.atomic'),
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
)
custom_hooks = [
    # Every rank its own noise, and a resumed run the same as an unbroken one.
    dict(type='gendd_mm.StepSeedHook'),
    dict(type='gendd_mm.LabelCheckHook'),
    # The same teacher, data and settings on every rank, and when it is resumed.
    dict(type='gendd_mm.RunConditionsHook'),
    # All processes validate what a checkpoint holds.
    dict(type='gendd_mm.BroadcastBuffersHook'),
    # No NaN is trained on or saved.
    dict(type='gendd_mm.FiniteHook'),
    # SIGTERM, SIGUSR1 and Ctrl-C save a checkpoint first.
    dict(type='gendd_mm.PreemptionHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # In seconds: how long a rank waits for another before the run ends. Nothing that one
    # rank does alone, such as saving, takes ten minutes. NCCL's default; gloo's is 30.
    dist_cfg=dict(backend='nccl', timeout=600),
)
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
