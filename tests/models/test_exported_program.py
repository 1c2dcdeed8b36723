"""A file of torch.export is a network, and nothing in it runs."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from exported_networks import Network, encoder, exported, saved
from hostile_programs import changed, edited, in_model, nodes, payload, python
from torch import nn

from gendd_mm.models import ModuleBackbone, ModuleClassifier, exported_program
from gendd_mm.models.algorithms.classifier_search import find_classifier


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    """A network, and the file of its program."""
    torch.manual_seed(0)
    network = Network().eval()
    return network, saved(exported(network), tmp_path_factory.mktemp('exported') / 'teacher.pt2')


def config(file) -> dict:
    return dict(type='gendd_mm.exported_program', file=str(file))


@torch.no_grad()
@pytest.mark.parametrize('size', [1, 5])
def test_it_is_the_network(pair, size):
    network, file = pair
    model = ModuleClassifier(config(file), pretrained=True).eval()
    images = torch.randn(size, 3, 32, 32)
    assert model(images).equal(network(images))
    assert model.get_submodule(find_classifier(model)).weight.equal(network.fc.weight)
    assert 'network.classifier.0.weight' in model.state_dict()
    # On another device, whose name is not that of the file.
    assert model.to('meta')(images.to('meta')).shape == (size, 3)


def test_it_is_a_student(pair):
    backbone = ModuleBackbone(config(pair[1]))
    (feature,) = backbone(torch.randn(2, 3, 32, 32))
    assert feature.shape == (2, 16)
    feature.sum().backward()
    assert backbone.network.conv.weight.grad.abs().sum() > 0


FAMILIES = {
    'vit_tiny_patch16_224': dict(img_size=32, depth=2),
    'swin_tiny_patch4_window7_224': dict(img_size=32, depths=(2, 2), num_heads=(3, 6)),
    'eva02_tiny_patch14_224': dict(img_size=28, depth=2, num_classes=5),
    'efficientnet_b0': {},
    'vgg11_bn': {},
    'swin_v2_t': None,
}


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
def test_families_of_networks(family, tmp_path):
    settings = FAMILIES[family]
    torch.manual_seed(0)
    if settings is None:
        network = getattr(pytest.importorskip('torchvision.models'), family)(weights=None)
        side = 32
    else:
        network = pytest.importorskip('timm').create_model(family, **settings)
        side = settings.get('img_size', 32)
    network.eval()
    images = torch.randn(2, 3, side, side)
    file = saved(exported(network, size=side), tmp_path / 'teacher.pt2')
    assert exported_program(file)(images).equal(network(images))


def sizes(mark):
    def edit(document):
        (size, *_) = document['graph_module']['graph']['tensor_values']['images']['sizes']
        size['as_expr']['expr_str'] = python(mark)

    return in_model(edit)


def guards(mark):
    return in_model(lambda document: document.update(guards_code=[f'{python(mark)} is None']))


def sample_inputs(mark):
    return {'data/sample_inputs/model.pt': lambda content: payload(mark)}


@pytest.mark.fault(
    'Checkpoints', 'Python in sizes, guards or example inputs of an exported program', 'never run'
)
@pytest.mark.parametrize('change', [sizes, guards, sample_inputs])
def test_what_torch_runs_is_not_even_read(change, pair, tmp_path):
    network, file = pair
    mark = tmp_path / 'ran'
    file = changed(file, tmp_path / 'teacher.pt2', change(str(mark)))
    model = exported_program(file)
    images = torch.randn(2, 3, 32, 32)
    assert model(images).equal(network(images))
    assert not mark.exists()
    # The reason why torch.export.load is not used. If it fails, that can be reconsidered.
    with suppress(Exception):  # after it ran
        torch.export.load(file).module()(images)
    assert mark.exists()


def pickled_weight(mark):
    def edit(document):
        document['config']['fc.weight'].update(use_pickle=True, path_name='evil')

    return {
        'data/weights/model_weights_config.json': edited(edit),
        'data/weights/evil': lambda content: payload(mark),
    }


def pickled_constant(mark):
    def edit(document):
        document['config']['it'] = dict(path_name='opaque_obj_0', use_pickle=True)

    return {
        'data/constants/model_constants_config.json': edited(edit),
        'data/constants/opaque_obj_0': lambda content: payload(mark),
    }


def calls(target: str, **argument):
    def change(mark):
        def edit(document):
            first = nodes(document)[0]
            value = {kind: mark if value is None else value for kind, value in argument.items()}
            first.update(target=target, inputs=[dict(name='x', arg=value, kind=1)])

        return in_model(edit)

    return change


def keyword(mark):
    code = f'x={python(mark)}, y'
    return in_model(lambda document: nodes(document)[0]['inputs'][0].update(name=code, kind=2))


def tensor_name(mark):
    code = f'x"),{python(mark)},("'

    def weights(document):
        document['config'][code] = document['config'].pop('fc.bias')

    return {'data/weights/model_weights_config.json': edited(weights)}


def absent_tensor(mark):
    code = f'x"),{python(mark)},("'

    def edit(document):
        (spec, *_) = document['graph_module']['signature']['input_specs']
        spec['parameter']['parameter_name'] = code

    return in_model(edit)


ATEN = 'torch.ops.aten.'
HOSTILE = {
    'a pickled weight': (pickled_weight, "'fc.weight' in it is a pickled object"),
    'a pickled constant': (pickled_constant, "'it' in it is a pickled object"),
    'a system call': (calls('torch.os.mkdir', as_string=None), "calls 'torch.os.mkdir', which is"),
    'torch.load': (calls('torch.load', as_string=None), "calls 'torch.load', which is not known"),
    'a method': (calls('_operator.methodcaller', as_string='x'), 'which is not known'),
    'a file': (calls(ATEN + 'from_file.default', as_string=None), 'aten.from_file.default'),
    'no overload': (calls(ATEN + 'add.__class__', as_int=1), 'add.__class__.*does not have'),
    'a keyword': (keyword, 'in it is no name of a tensor or argument'),
    'the name of a tensor': (tensor_name, 'in it is no name of a tensor or argument'),
    'an absent tensor': (absent_tensor, 'it has no tensor'),
    'a graph': (calls(ATEN + 'add.Tensor', as_graph=dict(graph={})), 'is damaged'),
    'a library': (
        lambda mark: {'data/aotinductor/model/x.so': lambda content: b'\x7fELF'},
        'machine code in it is never loaded',
    ),
}


@pytest.mark.fault(
    'Checkpoints',
    'an exported program with pickles, machine code, unknown functions, or Python for a name',
    'refused; nothing runs',
)
@pytest.mark.parametrize('kind', HOSTILE)
def test_what_could_run_is_refused(kind, pair, tmp_path):
    change, message = HOSTILE[kind]
    mark = tmp_path / 'ran'
    file = changed(pair[1], tmp_path / 'teacher.pt2', change(str(mark)))
    with pytest.raises(ValueError, match=f'exported program .*teacher.pt2.*{message}') as caught:
        ModuleClassifier(config(file))
    assert '\n' not in str(caught.value)
    assert not mark.exists()


@pytest.mark.fault(
    'Checkpoints',
    'an exported program that is cut short, changed in a byte or no program',
    'refused',
)
def test_damage_is_named(pair, tmp_path):
    content = Path(pair[1]).read_bytes()
    at = content.index(b'"graph_module"')
    for damaged, message in (
        (content[:-1000], 'no program of torch.export, is cut short'),
        (content[: len(content) // 2], 'no zip archive, or is cut short'),
        (b'', 'no zip archive, or is cut short'),
        (
            content[:at] + b'#' + content[at + 1 :],
            'the checksum of teacher/models/model.json in it',
        ),
    ):
        (tmp_path / 'teacher.pt2').write_bytes(damaged)
        with pytest.raises(ValueError, match=f"teacher.pt2' is refused: .*{message}"):
            exported_program(str(tmp_path / 'teacher.pt2'))
    torch.save(encoder().state_dict(), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='no program .*write it by torch.export.save'):
        exported_program(str(tmp_path / 'weights.pth'))
    with pytest.raises(FileNotFoundError, match="exported program 'gone.pt2' does not exist"):
        exported_program('gone.pt2')


def test_what_does_not_fit_is_named(tmp_path):
    file = saved(exported(nn.Sequential(encoder()), dynamic=False), tmp_path / 'teacher.pt2')
    with pytest.raises(ValueError, match='refused: the program was exported for images .*of 2'):
        exported_program(file)
    network = Network()
    network.fc.bias.data[1] = torch.nan
    file = saved(exported(network), tmp_path / 'teacher.pt2')
    with pytest.raises(ValueError, match='refused: its weights .*fc.bias.* are not finite'):
        exported_program(file)


@pytest.mark.fault(
    'Configs',
    'a network by torch.load, torch.export.load or torch.jit.load',
    'refused; names the safe way',
)
@pytest.mark.parametrize('loader', ['torch.load', 'torch.export.load', 'torch.jit.load'])
def test_loaders_that_run_code_are_refused(loader):
    with pytest.raises(ValueError, match=f'{loader} runs what is in a file.*exported_program'):
        ModuleClassifier(dict(type=loader, f='teacher.pt2'))
