"""Learn the features of a network that was trained on other images, without labels.

    bash tools/get_efficientnet_lite0.sh
    bash tools/get_fashion_mnist.sh
    METHOD=gendd python tools/train.py configs/foundation/efficientnet-lite0_fashion-mnist.py

The teacher is EfficientNet-Lite0 with its weights of ImageNet and without its
classifier. The student, a ResNet-18 of width 8, sees 4,000 images of Fashion-MNIST at 64
pixels. METHOD is gendd (the paper's process), gendd_flow (a rectified flow on targets of
unit variance), or a regression by a linear layer: mse, cosine.
"""

_base_ = [
    '../_base_/datasets/fashion_mnist.py',
    '../_base_/models/gendd.py',
    '../_base_/schedules/fashion_mnist.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/foundation_{{$METHOD:gendd}}'

__method = '{{$METHOD:gendd}}'
__sizes = dict(_delete_=True, condition_dim=64, target_dim=1280)
if __method in ('mse', 'cosine'):
    __head = dict(__sizes, type='LinearRegressionHead', loss=__method, target_scale='auto')
else:
    __head = dict(
        __sizes,
        type='gendd_mm.GenerativeHead',
        denoiser=dict(type='TokenDenoiser', width=128, depth=3),
        repeats=4,
    )
if __method == 'gendd_flow':
    __head = dict(
        __head,
        target_scale='auto',
        process=dict(type='RectifiedFlow'),
        sampling=dict(type='euler', num_steps=4),
    )

model = dict(
    architecture=dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=8,
            base_channels=8,
            strides=(2, 2, 2, 2),
        ),
        neck=dict(type='GlobalAveragePooling'),
    ),
    teacher=dict(type='TimmClassifier', model_name='tf_efficientnet_lite0', num_classes=0),
    teacher_ckpt='checkpoints/efficientnet_lite0.pth',
    teacher_classifier=None,
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(head=__head, feature_mixup=dict(type='FeatureMixup', beta=0))
        )
    ),
)
# As the teacher was trained, in levels of 0 to 255.
data_preprocessor = dict(
    _delete_=True, type='ClsDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]
)

__to_rgb = [
    dict(type='NumpyToPIL', to_rgb=False),
    dict(type='torchvision/Resize', size=64),
    dict(type='torchvision/Grayscale', num_output_channels=3),
    dict(type='PILToNumpy', to_bgr=False),
    dict(type='PackInputs'),
]
__crop, __flip, __pack = _base_.train_pipeline
train_pipeline = [__crop, __flip, *__to_rgb]
test_pipeline = __to_rgb

train_dataloader = dict(
    # 400 images of each class, chosen by the seed; their labels are not read.
    dataset=dict(
        _delete_=True,
        type='gendd_mm.LongTailed',
        imbalance=1,
        most=400,
        seed=0,
        dataset=dict(type='FashionMNIST', data_root={{_base_.data_root}}, pipeline=train_pipeline),
    )
)
val_dataloader = dict(batch_size=250, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='gendd_mm.FeatureQuality')
test_evaluator = val_evaluator
