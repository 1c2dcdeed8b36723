"""Networks of HuggingFace's transformers teach, from a config or a folder, offline."""

import json
import os

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from small_models import gendd

from gendd_mm.config_check import check_config
from gendd_mm.models import ModuleClassifier
from gendd_mm.models.algorithms.build_teacher import build_teacher
from gendd_mm.models.algorithms.classifier_search import dry_run, find_classifier, scores_of
from gendd_mm.models.algorithms.teacher_features import teacher_features

transformers = pytest.importorskip('transformers')

SIZES = dict(image_size=32, patch_size=4, num_labels=3)
NETWORKS = {
    'ViT': dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16),
    'Swin': dict(embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4),
    'Dinov2': dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2),
}


def network(name: str) -> dict:
    config = dict(type=f'transformers.{name}Config', **SIZES, **NETWORKS[name])
    return dict(type=f'transformers.{name}ForImageClassification', config=config)


@pytest.fixture
def folder(tmp_path) -> str:
    torch.manual_seed(0)
    model = ModuleClassifier(network('ViT')).network
    model.save_pretrained(tmp_path / 'vit')
    return str(tmp_path / 'vit')


def from_pretrained(folder: str, **settings) -> dict:
    return dict(
        type='transformers.AutoModelForImageClassification.from_pretrained',
        pretrained_model_name_or_path=folder,
        **settings,
    )


@pytest.mark.parametrize('name', NETWORKS)
def test_what_enters_the_classifier_gives_the_scores(name, tmp_path):
    torch.manual_seed(0)
    config = dict(type='gendd_mm.ModuleClassifier', network=network(name))
    own = ModuleClassifier(network(name)).network
    torch.save(own.state_dict(), tmp_path / 'own.pth')
    check_config(Config(dict(model=gendd(teacher=config), default_scope='mmpretrain')))
    model = build_teacher(config, str(tmp_path / 'own.pth'))
    assert find_classifier(model) == 'network.classifier'
    entered = []
    hook = own.classifier.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
    images = torch.randn(2, 3, 32, 32)
    scores = own.eval()(images).logits
    hook.remove()
    torch.testing.assert_close(model.eval()(images), scores, atol=1e-5, rtol=0)
    classifier = model.network.classifier
    torch.testing.assert_close(classifier(entered[-1]), scores, atol=1e-5, rtol=0)


def test_a_folder_is_a_teacher_with_its_weights(folder):
    ways = [
        dict(type='mmpretrain.HuggingFaceClassifier', model_name=folder, pretrained=True),
        dict(type='gendd_mm.ModuleClassifier', network=from_pretrained(folder), pretrained=True),
    ]
    first, second = (build_teacher(way, None).eval() for way in ways)
    assert dry_run(first, scores_of).equal(dry_run(second, scores_of))
    assert find_classifier(first) == 'model.classifier'


@pytest.mark.parametrize('auto', ['AutoModel', 'AutoModelForImageClassification'])
def test_a_layer_that_is_not_in_the_folder_is_no_teacher(auto, tmp_path):
    torch.manual_seed(0)
    sizes = dict(NETWORKS['ViT'], image_size=32, patch_size=4)
    backbone = transformers.ViTModel(transformers.ViTConfig(**sizes), add_pooling_layer=False)
    backbone.save_pretrained(tmp_path)
    network = dict(
        type=f'transformers.{auto}.from_pretrained', pretrained_model_name_or_path=str(tmp_path)
    )
    teacher = dict(type='gendd_mm.ModuleClassifier', pretrained=True, network=network)
    missing = 'pooler.dense' if auto == 'AutoModel' else 'classifier'
    with pytest.raises(ValueError, match=rf"no weights of .*'{missing}.weight'\].*random"):
        build_teacher(teacher, None)
    if auto == 'AutoModel':
        network['add_pooling_layer'] = False
        assert build_teacher(teacher, None).network.pooler is None


class Payload:
    """What an attacker would put into a file."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_in_the_folder_does_not_run(folder, tmp_path):
    os.remove(os.path.join(folder, 'model.safetensors'))
    torch.save({'a': Payload(tmp_path / 'ran')}, os.path.join(folder, 'pytorch_model.bin'))
    for teacher in (
        dict(type='mmpretrain.HuggingFaceClassifier', model_name=folder, pretrained=True),
        dict(type='gendd_mm.ModuleClassifier', network=from_pretrained(folder), pretrained=True),
    ):
        with pytest.raises(OSError, match='safetensors'):
            build_teacher(teacher, None)
    assert not (tmp_path / 'ran').exists()


def test_code_in_the_folder_does_not_run(folder, tmp_path):
    code = f'import os; os.mkdir({str(tmp_path / "ran")!r})'
    with open(os.path.join(folder, 'own.py'), 'w') as file:
        file.write(code)
    with open(os.path.join(folder, 'config.json')) as file:
        config = json.load(file)
    config['model_type'] = 'own'
    config['auto_map'] = {'AutoConfig': 'own.C', 'AutoModelForImageClassification': 'own.M'}
    with open(os.path.join(folder, 'config.json'), 'w') as file:
        json.dump(config, file)
    with pytest.raises(ValueError, match='trust_remote_code'):
        ModuleClassifier(from_pretrained(folder))
    for trusting in (dict(trust_remote_code=True), dict(use_safetensors=False)):
        with pytest.raises(ValueError, match='are refused.*Leave them out'):
            ModuleClassifier(from_pretrained(folder, **trusting))
    assert not (tmp_path / 'ran').exists()


FEATURES = {
    'Dinov2Model': ('last_hidden_state', dict(num_hidden_layers=1, num_attention_heads=2)),
    'CLIPVisionModel': ('pooler_output', dict(num_hidden_layers=1, num_attention_heads=2)),
    'CLIPVisionModelWithProjection': (
        'image_embeds',
        dict(num_hidden_layers=1, num_attention_heads=2, projection_dim=8),
    ),
}


@pytest.mark.parametrize('name', FEATURES)
def test_a_network_without_a_classifier_teaches_its_feature(name):
    output, settings = FEATURES[name]
    family = name.partition('Model')[0]
    config = dict(
        type=f'transformers.{family}Config',
        **(dict(image_size=8, patch_size=4, hidden_size=16, intermediate_size=16) | settings),
    )
    torch.manual_seed(0)
    teacher = ModuleClassifier(dict(type=f'transformers.{name}', config=config)).eval()
    images = torch.randn(2, 3, 8, 8)
    given = teacher.network(images)
    names = ('pooled', 'cls_token', 'patch_tokens')
    found = teacher_features(teacher, images, names)
    assert found['patch_tokens'].equal(given.last_hidden_state[:, 1:].mean(1))
    assert found['cls_token'].equal(given.last_hidden_state[:, 0])
    if output == 'last_hidden_state':  # DINOv2 pools its class token
        assert found['pooled'].equal(given.pooler_output)
    else:
        assert found['pooled'].equal(given[output])
    size = found['pooled'].size(1)
    assert size == (8 if output == 'image_embeds' else 16)

    model = small_models.gendd(False, teacher=teacher, teacher_classifier=None)
    model['distiller']['distill_losses']['loss_gendd']['head']['target_dim'] = size
    model = MODELS.build(model)
    model.init_weights()
    losses = small_models.losses_of(model, small_models.batch())
    assert 'distill.loss_gendd' in losses
