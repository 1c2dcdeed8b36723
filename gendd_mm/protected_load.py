"""Read a checkpoint whole and without running its code, or say why not."""

import os
import os.path as osp
import re
import zipfile
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import torch

__all__ = ['checked_zip', 'fetched', 'protected_load']


def protected_load(
    file: Any, map_location: Any = None, name: str | None = None, mmap: bool = False
) -> Any:
    """What ``torch.save`` wrote to a file, if every byte is there and harmless.

    Weights may also be in a file of safetensors, by its name.

    Args:
        file: Path, or a binary file that can be searched.
        map_location: As in ``torch.load``.
        name: What the file is called in an error. None takes its path.
        mmap: Whether tensors stay in the file until they are used. Not for a file that
            may be overwritten meanwhile.

    Raises:
        FileNotFoundError: If there is no such file.
        PermissionError: If it may not be read.
        ValueError: If it is damaged, is no file of torch, or contains objects other than
            weights.
    """
    name = name or (str(file) if isinstance(file, str | os.PathLike) else 'from other storage')
    where = f' The download is {str(file)!r}: remove it first.' if '://' in name else ''
    try:
        if str(file).endswith('.safetensors'):
            return _safetensors(file)
        zipped = checked_zip(file)
        return torch.load(
            file,
            map_location=map_location,
            weights_only=True,
            mmap=True if mmap and zipped else None,
        )
    except (FileNotFoundError, PermissionError):
        raise
    except UnpicklingError as error:
        # torch raises the same error for a web page and for a dangerous object. Its
        # text, which advises to switch the protection off, stays in the chain alone.
        raise ValueError(
            f'torch refuses the checkpoint {name!r} (weights_only): it is not a torch file, or '
            'is damaged, or contains objects other than weights, which could run code while '
            f'they are loaded{_culprit(error)}. Get it again, or convert it to a plain state dict '
            f'if you trust it.{where}'
        ) from None
    except Exception as error:
        # The unpickler fails in many ways on a file of other bytes.
        raise ValueError(
            f'checkpoint {name!r} is not a torch file or is damaged: '
            f'{str(error).partition(chr(10))[0] or type(error).__name__}.{where}'
        ) from error


def _safetensors(file: Any) -> dict:
    """Weights in the format of HuggingFace, which holds nothing but tensors."""
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError('safetensors, which reads it, is not installed; install it') from None
    if not osp.isfile(file):
        raise FileNotFoundError(f'checkpoint {str(file)!r} does not exist.')
    return load_file(file)


def checked_zip(file: Any) -> bool:
    """Whether a file is a zip archive, all of whose checksums are right.

    torch does not compare them. Files of torch before 1.6 are no archives.
    """
    if not zipfile.is_zipfile(file):
        _rewind(file)
        return False
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f'the checksum of {damaged} in it is wrong')
    _rewind(file)
    return True


def _rewind(file: Any) -> None:
    if hasattr(file, 'seek'):
        file.seek(0)


def _culprit(error: UnpicklingError) -> str:
    """The object that torch names, or our reason from ``checkpoint_shims``."""
    if found := re.search(r'GLOBAL ([\w.]+)', str(error)):
        return f' ({found[1]})'
    if found := re.search(r'The checkpoint asks for .*', str(error)):
        return f' ({found[0]})'
    return ''


def fetched(url: str, folder: str, progress: bool = True) -> str:
    """Download a file unless it is in a folder already, as torch's hub does.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: If it cannot be fetched.
    """
    path = osp.join(folder, osp.basename(urlparse(url).path))
    if not osp.exists(path):
        os.makedirs(folder, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, path, progress=progress)
        except (OSError, ValueError, RuntimeError) as error:
            raise FileNotFoundError(
                f'checkpoint {url!r} cannot be fetched: {error}. Check the address and the '
                'network, or download it elsewhere and give its path.'
            ) from error
    return path
