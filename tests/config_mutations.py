"""Mistakes in configs: one leaf changed as a typing error would change it."""

import random
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

# Sections whose values the check looks at; the others are variables and paths.
SECTIONS = (
    'model',
    'data_preprocessor',
    'train_dataloader',
    'val_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'default_hooks',
    'custom_hooks',
    'val_evaluator',
    'randomness',
)


def leaves(node: Any, owner: Any = None, key: Any = None, path: str = '') -> Iterator[tuple]:
    """(path, the dict or list that holds it, its key) of every leaf."""
    if isinstance(node, dict):
        for name in node:
            yield from leaves(node[name], node, name, f'{path}.{name}')
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from leaves(each, node, index, f'{path}.{index}')
    elif owner is not None:
        yield path.lstrip('.'), owner, key


def as_lists(node: Any) -> Any:
    """The config with lists for tuples, so that their items can be replaced."""
    if isinstance(node, dict):
        return {key: as_lists(value) for key, value in node.items()}
    return [as_lists(each) for each in node] if isinstance(node, (list, tuple)) else node


KINDS = {
    'text': lambda value: str(value) if not isinstance(value, str) else 7,
    'negative': lambda value: -value if isinstance(value, (int, float)) and value else -1,
    'nan': lambda value: float('nan'),
    'infinite': lambda value: float('-inf'),
    'zero': lambda value: 0,
    'none': lambda value: None,
    'fraction': lambda value: value + 0.5 if isinstance(value, (int, float)) else 1.5,
    'list': lambda value: [value, value],
    'dict': lambda value: {'value': value},
    'switch': lambda value: True if value is not True else 'True',
}


def mutated(cfg: Config, seed: int) -> tuple[Config, str]:
    """A copy of a config with one mistake, and the mistake in words."""
    draw = random.Random(seed)
    config = as_lists(cfg.to_dict())
    found = list(leaves({name: config[name] for name in SECTIONS if config.get(name)}))
    path, owner, key = draw.choice(found)
    kind = draw.choice([*KINDS, 'misspelled', 'deleted'])
    value = owner[key]
    if kind == 'deleted' or (kind == 'misspelled' and not isinstance(owner, dict)):
        del owner[key]
        what = f'{path} deleted'
    elif kind == 'misspelled':
        at = draw.randrange(len(key))
        wrong = key[:at] + key[at + 1 :] if len(key) > 2 else f'{key}x'
        owner[wrong] = owner.pop(key)
        what = f'{path} misspelled {wrong}'
    else:
        owner[key] = KINDS[kind](value)
        what = f'{path}={value!r} became {owner[key]!r}'
    return Config(config, filename=cfg.filename), what
