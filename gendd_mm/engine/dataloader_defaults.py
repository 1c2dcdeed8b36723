"""What a dataloader is given where its config says nothing."""

import argparse

import torch


def complete_dataloader(loader: dict | None, args: argparse.Namespace) -> None:
    """Give a dataloader the defaults of MMPretrain, where they can work."""
    if loader is None:
        return
    loader.setdefault('collate_fn', dict(type='default_collate'))
    # Pinning without CUDA gains nothing and warns.
    loader.setdefault('pin_memory', torch.cuda.is_available())
    loader.setdefault('num_workers', 0)
    loader.setdefault('persistent_workers', True)
    if args.no_pin_memory:
        loader['pin_memory'] = False
    if getattr(args, 'no_persistent_workers', False):
        loader['persistent_workers'] = False
    if loader['num_workers'] == 0:
        # torch refuses both where there is no worker.
        loader['persistent_workers'] = False
        loader.pop('prefetch_factor', None)
