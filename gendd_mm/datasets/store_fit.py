"""Whether a store of features is of these images in these views."""

import hashlib
import json
import os.path as osp
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.logging import print_log
from torch import Tensor

from gendd_mm.annotations import datasets_in
from gendd_mm.registry import type_name
from gendd_mm.teacher_store import StoreError

from .stored_pixels import SamplePacker

if TYPE_CHECKING:
    from .augmented_views import AugmentedViews

__all__ = [
    'check_fit',
    'check_packing',
    'image_list_hash',
    'probe_file',
    'probe_views',
    'settings_text',
]

# Images whose first view is compared pixel by pixel.
NUM_PROBES = 8
# Mean difference of pixel levels that another decoder of JPEG may make, and another crop,
# seed or image does not stay below.
TOLERANCE = 3.0
# Settings of a transform that say where a file is.
_PLACES = ('backend_args', 'file_client_args')


def image_list_hash(dataset: Any) -> str:
    """A hash of a dataset's images, in their order, without their labels.

    Images in files count by their path below the folder that all share, so that a moved
    dataset is the same; images in memory count by their pixels.

    Args:
        dataset: With ``get_data_info``.
    """
    digest = hashlib.sha256()
    paths = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info.get('img_path') is not None:
            paths.append(str(info['img_path']))
        else:
            image = np.ascontiguousarray(info['img'])
            digest.update(f'{image.dtype} {image.shape}'.encode())
            digest.update(image.data)
    folders = [path.split('/')[:-1] for path in paths]
    shared = 0  # folders that the first and the last in order share, all share
    for first, last in zip(min(folders, default=[]), max(folders, default=[]), strict=False):
        if first != last:
            break
        shared += 1
    for path in paths:
        digest.update('/'.join(path.split('/')[shared:]).encode() + b'\0')
    return digest.hexdigest()


def settings_text(settings: Any) -> str:
    """Settings of a config as text: the same text for the same meaning."""
    return json.dumps(_plain(settings), sort_keys=True, default=repr)


def _plain(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {
            key: type_name(value) if key == 'type' else _plain(value)
            for key, value in settings.items()
            if key not in _PLACES
        }
    if isinstance(settings, (list, tuple)):
        return [_plain(value) for value in settings]
    return settings


def pipeline_texts(dataset: Any) -> list[str] | None:
    """The transforms of a dataset's config, from the outermost dataset inwards.

    Returns:
        None for a dataset that is built already.
    """
    if not isinstance(dataset, Mapping):
        return None
    steps = [step for each in datasets_in(dataset) for step in each.get('pipeline') or ()]
    return [settings_text(step) for step in steps]


def probe_file(store: str, part: str) -> str:
    """The file of a store with some views, to compare with."""
    return osp.join(store, f'probes_{part}.safetensors')


def _probed(views: 'AugmentedViews') -> list[int]:
    return np.unique(np.linspace(0, len(views) - 1, NUM_PROBES).astype(int)).tolist()


def probe_views(views: 'AugmentedViews') -> dict[str, Tensor]:
    """The first view of some images by their index, spread over the dataset.

    Raises:
        StoreError: If a second look gives other pixels.
    """
    found = {}
    for index in _probed(views):
        pixels = views.view(index, 0)['inputs']
        if not pixels.equal(views.view(index, 0)['inputs']):
            raise StoreError(
                f'image {index} has other pixels at a second look: a transform of the pipeline '
                'draws from a generator of its own, which AugmentedViews cannot seed; take one '
                "that draws from Python's, numpy's or torch's, as mmcv's and MMPretrain's do."
            )
        found[str(index)] = pixels.contiguous()
    return found


def check_fit(views: 'AugmentedViews') -> None:
    """Compare a dataset with the store that it reads.

    Raises:
        StoreError: If images, pipeline, mixing, seed or number of views are others, or the
            views are in fact other pixels.
    """
    store, name = views.store, views.part
    assert store is not None
    where = f'store={store.path!r}'
    part = store.description.parts.get(name)
    if part is None:
        raise StoreError(
            f'{where} has no features of the {name} images, only of '
            f'{sorted(store.description.parts)}; build one from this config.'
        )
    if len(views) != part.num_images:
        raise StoreError(
            f'{where} is of {part.num_images} {name} images, but this dataset has {len(views)}; '
            'build a store from this config, or restore the list of images.'
        )
    if views.num_views > part.num_views:
        raise StoreError(
            f'num_views={views.num_views}, but {where} has {part.num_views}; take as many, or '
            f'add some by gendd-store-teacher with --views {views.num_views}.'
        )
    if views.seed != part.seed:
        raise StoreError(
            f'seed={views.seed} of the views, but {where} has those of seed={part.seed}.'
        )
    _compare_settings(where, 'pipeline', part.pipeline, views.pipeline)
    mixing = [text for text in (part.mixing,) if text is not None]
    own = [text for text in (views.mixing_text,) if text is not None]
    _compare_settings(where, 'mixing', mixing, own)
    if image_list_hash(views) != part.images:
        raise StoreError(
            f'{where} is of other {name} images than this dataset, or has them in another order; '
            'build a store from this config, or restore the list of images.'
        )
    _compare_pixels(views, where, store.description.versions)
    if part.pixels is not None:
        check_packing(views)


def check_packing(views: 'AugmentedViews') -> None:
    """See that samples of some images are packed as their whole pipeline packs them.

    Raises:
        StoreError: If they are not, or the pipeline ends otherwise.
    """
    packer = SamplePacker(views.dataset)
    for index in _probed(views):
        packer.check(index, views.view(index, 0)['data_samples'])


def _compare_settings(where: str, what: str, stored: list[str], own: list[str] | None) -> None:
    if own is None or own == stored:
        return
    only = [text for text in stored if text not in own] or ['nothing more']
    ours = [text for text in own if text not in stored] or ['nothing more']
    raise StoreError(
        f'{where} is of another {what}: it has {"; ".join(only)}, this config '
        f'{"; ".join(ours)} (or another order); restore that, or build a store from this config.'
    )


def _compare_pixels(views: 'AugmentedViews', where: str, versions: Mapping[str, str]) -> None:
    from gendd_mm.checkpoint import read_state_dict

    assert views.store is not None
    probes = read_state_dict(probe_file(views.store.path, views.part))
    worst = 0.0
    for index, stored in probes.items():
        pixels = views.view(int(index), 0)['inputs']
        if pixels.shape != stored.shape:
            raise StoreError(
                f'{where} is of images of {tuple(stored.shape)}, but image {index} is '
                f'{tuple(pixels.shape)} here; build a store from this config.'
            )
        difference = (pixels.float() - stored.float()).abs().mean().item()
        if difference > TOLERANCE:
            raise StoreError(
                f'{where}: view 0 of image {index} has other pixels here, by {difference:.1f} '
                f'levels in the mean. Its content has changed, or the libraries draw other '
                f'augmentations (the store was built with {dict(versions)}); build it again.'
            )
        worst = max(worst, difference)
    if worst > 0:
        print_log(
            f'{where}: pixels differ by up to {worst:.2g} levels in the mean from those that '
            'the teacher saw, as by another decoder.',
            logger='current',
        )
