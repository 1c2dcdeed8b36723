"""The packages that a config needs besides mmpretrain."""

# mmpretrain's wrappers around models of other packages.
WRAPPED = {
    'TIMMBackbone': 'timm',
    'TimmClassifier': 'timm',
    'HuggingFaceClassifier': 'transformers',
}


def needed_packages(node) -> list[str]:
    """The packages whose classes a config names, in alphabetical order.

    They follow from the prefixes of its types: ``gendd_mm.CIFARVGG`` needs gendd_mm, and
    with it mmrazor. ``mmrazor.WideResNet`` needs gendd_mm too, whose shims
    make mmrazor import on current versions of torch.

    Args:
        node: A config of mmpretrain's scope: dicts, lists, values.
    """
    return sorted(_needed(node))


def _needed(node) -> set:
    if isinstance(node, (list, tuple)):
        return set().union(*map(_needed, node))
    if not isinstance(node, dict):
        return set()
    needed = _needed(list(node.values()))
    kind = node.get('type')
    if isinstance(kind, str):
        scope = kind.rpartition('.')[0].partition('.')[0]
        if scope in ('gendd_mm', 'mmrazor'):
            needed |= {'gendd_mm', 'mmrazor'}
        elif scope not in ('', 'mmpretrain', 'mmengine', 'mmcv'):
            needed.add(scope)
        if kind.rpartition('.')[2] in WRAPPED:
            needed.add(WRAPPED[kind.rpartition('.')[2]])
    return needed
