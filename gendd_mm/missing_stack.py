"""One clear error for what needs the OpenMMLab stack where that is missing."""

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

from gendd_mm.shipped import is_checkout


def install_command() -> str:
    """How to install the stack that is missing here."""
    if is_checkout():
        return "in the checkout, pip install -e '.[mm]'"
    return "pip install 'gendd_mm[mm]'"


class _Refusal(MetaPathFinder):
    """Refuses to import the parts of a package that cannot work."""

    def __init__(self, package: str, usable: Sequence[str], reason: str) -> None:
        self.package = package
        self.usable = usable
        self.reason = reason

    def find_spec(self, fullname: str, path=None, target=None) -> ModuleSpec | None:
        package, _, rest = fullname.partition('.')
        if package != self.package or rest.partition('.')[0] in ('', *self.usable):
            return None
        raise ModuleNotFoundError(
            f'{fullname} runs on the OpenMMLab stack, of which {self.reason}', name=fullname
        )


def refuse_all_but(*usable: str, missing: Sequence[str]) -> None:
    """Make imports of gendd_mm's other modules say what is missing.

    Args:
        usable: Modules of gendd_mm that work without the stack.
        missing: Packages that were not found.
    """
    reason = (
        f'{", ".join(missing)} is not installed here; gendd_mm.generative works without it. '
        'Install the extra `mm` (the tested versions) or `onedl` (the maintained forks): '
        f'{install_command()}'
    )
    sys.meta_path.insert(0, _Refusal(__package__, usable, reason))
    if 'mmengine' not in missing:  # which would only say that it does not know a type of ours
        warnings.warn(f'gendd_mm registers nothing, because {reason}', stacklevel=3)
