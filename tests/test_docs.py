"""What the documents show works as it stands there."""

import re
from pathlib import Path

import pytest
import synthetic_imagenet
import torch
from mmengine.config import Config
from mmengine.hub import get_model
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

import gendd_mm.models
from gendd_mm.converters import BEITV2

ROOT = Path(__file__).resolve().parent.parent
DOCS = list((ROOT / 'docs').glob('*.md'))


def code_blocks(page: str) -> list:
    """The Python blocks of a document, in order."""
    return re.findall(r'```python\n(.*?)```', (ROOT / page).read_text(), re.S)


def block_with(page: str, text: str) -> str:
    """The one Python block of a document that holds a text."""
    found = [block for block in code_blocks(page) if text in block]
    assert len(found) == 1, f'{len(found)} blocks of {page} hold {text!r}'
    return found[0]


REFERENCE = 'docs/pair_reference.md'
PAIR = block_with(REFERENCE, '_base_ = [')
ADDITIONS = [block for block in code_blocks(REFERENCE) if block.startswith('model = ')]


def read_pair(tmp_path: Path, addition: str = '') -> Config:
    """The pair of the documents, with what a later block of theirs adds."""
    text = PAIR.replace("'_base_/", f"'{ROOT}/configs/_base_/")
    (tmp_path / 'pair.py').write_text(text)
    (tmp_path / 'changed.py').write_text("_base_ = ['pair.py']\n" + addition)
    cfg = Config.fromfile(str(tmp_path / 'changed.py'))
    root = tmp_path / 'imagenet'
    synthetic_imagenet.write(root)
    synthetic_imagenet.shrink(cfg, root, 32)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        teacher = get_model(**cfg.model.teacher)
    cfg.model.teacher_ckpt = synthetic_imagenet.save_random(teacher, tmp_path / 'resnet34.pth')
    head = cfg.model.distiller.distill_losses.loss_gendd.head
    head.repeats = 1
    head.sampling = dict(type='ancestral', num_steps=2)
    return cfg


def test_readme_is_short():
    assert len((ROOT / 'README.md').read_text().split()) < 900


@pytest.mark.parametrize('page', ['README.md', *sorted(f'docs/{p.name}' for p in DOCS)])
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text()
    targets = [t.partition('#')[0] for t in re.findall(r'\]\(([^)\s]+)\)', text)]
    local = [t for t in targets if t and '://' not in t]
    missing = [t for t in local if not (ROOT / page).parent.joinpath(t).exists()]
    assert not missing


def test_readme_trains_in_plain_torch():
    pytest.importorskip('timm')
    namespace: dict = {}
    exec(block_with('README.md', 'import timm'), namespace)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([3, 999])
    modules = [namespace[name] for name in ('student', 'norm', 'gendd')]
    optimizer = torch.optim.SGD([p for m in modules for p in m.parameters()], lr=0.1)
    for _ in range(3):  # modulations and output layer of the head start at zero
        optimizer.zero_grad()
        namespace['training_loss'](images, labels).backward()
        optimizer.step()
    student, norm, gendd = modules
    assert student.conv1.weight.grad.abs().sum() > 0
    assert namespace['teacher'].fc.weight.grad is None
    scores = namespace['teacher'].fc(gendd.head.sample(norm(student(images))).mean(0))
    assert scores.shape == (2, 1000)


def test_pair_is_about_thirty_lines():
    assert len(PAIR.splitlines()) <= 35


def test_pair_trains(tmp_path):
    runner = synthetic_imagenet.train_and_evaluate(read_pair(tmp_path), tmp_path / 'work')
    name = 'architecture.backbone.layer4.1.conv2.weight'
    assert not torch.equal(runner.first[name], dict(runner.model.named_parameters())[name])
    assert set(runner.metrics) == {'gen/top1', 'probe/top1'}


@pytest.mark.parametrize('contraction', ['None', 'dict(teacher_label_weight=1.0)'])
def test_pair_trains_without_labels(tmp_path, contraction):
    (addition,) = [block for block in ADDITIONS if 'trainable' in block]
    cfg = read_pair(tmp_path, addition.replace('None', contraction))
    runner = synthetic_imagenet.train_and_evaluate(cfg, tmp_path / 'work')
    assert set(runner.metrics) == {'gen/top1'}


def test_pair_trains_on_mixed_images(tmp_path):
    (addition,) = [block for block in ADDITIONS if 'Mixup' in block]
    cfg = read_pair(tmp_path, addition + '\ndata_preprocessor = None\n')
    runner = synthetic_imagenet.train_and_evaluate(cfg, tmp_path / 'work')
    augments = runner.model.data_preprocessor.batch_augments.augments
    assert len(augments) == 2


def test_mixup_is_not_lost_silently(tmp_path):
    (addition,) = [block for block in ADDITIONS if 'Mixup' in block]
    cfg = read_pair(tmp_path, addition)
    cfg.work_dir = str(tmp_path / 'work')
    with pytest.raises(ValueError, match='batch augmentations'):
        Runner.from_cfg(cfg)


def test_pair_trains_with_a_loss_of_mmrazor(tmp_path):
    (addition,) = [block for block in ADDITIONS if 'L1Loss' in block]
    cfg = read_pair(tmp_path, addition)
    runner = synthetic_imagenet.train_and_evaluate(cfg, tmp_path / 'work')
    losses = runner.message_hub.log_scalars
    assert 'train/distill.loss_l1' in losses
    assert 'train/distill.loss_gendd' in losses


def test_components_alone():
    block = block_with(REFERENCE, 'from gendd_mm.generative import')
    namespace = {}
    exec(block, namespace)
    assert namespace['features'].shape == (2, 8, 512)
    block = block_with(REFERENCE, "type='mmrazor.ConfigurableDistiller'")
    namespace = {}
    exec(block, namespace)
    loss = MODELS.build(namespace['distiller']['distill_losses']['loss_gendd'])
    assert isinstance(loss, gendd_mm.models.GenDDLoss)


def test_flagship_converts_the_teacher_that_it_reads():
    timm = pytest.importorskip('timm')
    page = (ROOT / 'docs/flagship.md').read_text()
    name = re.search(r"create_model\(\s*'([\w.]+)'", page)[1]
    assert timm.is_model(name.partition('.')[0])
    script, arch, source, target = re.search(
        r'python (tools/model_converters/\S+) (\S+) \\\n\s*(\S+) (\S+)', page
    ).groups()
    assert (ROOT / script).is_file()
    assert f"'{source}')" in page  # as it was saved
    cfg = Config.fromfile(str(ROOT / 'configs/gendd_r50_in1k.py'))
    assert target == cfg.model.teacher_ckpt
    backbone = BEITV2[arch].backbone
    assert backbone == {key: cfg.teacher.backbone[key] for key in backbone}
