"""What a benchmark runs: settings, methods, seeds, sweeps, comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

TEACHER = 'teacher'


class Run(NamedTuple):
    """One line of the results: a method, with a seed, in a setting.

    A run of a sweep has one option of the method at another value; unless ``retrain``,
    it tests the checkpoint that the method itself has trained.
    """

    setting: str
    method: str
    seed: int
    sweep: str | None = None
    value: Any = None
    retrain: bool = True

    @property
    def name(self) -> str:
        """A readable name."""
        name = f'{self.setting}/{self.method}'
        if self.sweep:
            name += f'-{self.sweep}-{self.value}'
        return f'{name}/seed{self.seed}'


class Sweep(NamedTuple):
    """Values of one option of a method, the sensitivity to it."""

    name: str
    setting: str
    method: str
    option: str
    values: list[Any]
    # Whether the option affects training, not only prediction.
    retrain: bool = True
    # Other options that all runs of the sweep set.
    fixed: dict[str, Any] = {}


class Comparison(NamedTuple):
    """A claim: ``method`` minus ``against`` in a metric of a setting."""

    claim: str
    setting: str
    method: str
    against: str
    metric: str = 'own_top1'


class Method(NamedTuple):
    """How a method trains.

    Attributes:
        config: Config file.
        processes: How many processes train together, each with the batch size of the
            config.
        choices: Values of the variables that the config takes, which are
            ``{{$NAME:default}}`` there.
    """

    config: str
    processes: int = 1
    choices: dict[str, str] = {}


@dataclass
class Setting:
    """Methods on the same data, from the same teacher.

    Attributes:
        teacher: How the teacher trains.
        refit: Config whose training images the refitted probe learns from.
        methods: How each method trains, by name.
    """

    teacher: Method
    refit: str
    methods: dict[str, Method]


@dataclass
class Recipe:
    """A benchmark, as in its YAML file; paths are relative to the current folder."""

    settings: dict[str, Setting]
    seeds: list[int]
    work_dir: str = 'work_dirs/benchmark'
    results: str = 'docs/benchmark/results.jsonl'
    teacher_seed: int = 0
    sweeps: list[Sweep] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @classmethod
    def read(cls, path: str) -> 'Recipe':
        """Read a file; its configs are relative to it.

        Raises:
            FileNotFoundError: If it, or a config that it names, is missing.
            ValueError: If a sweep or comparison names an unknown setting or method, or a
                number of processes is below 1.
        """
        content = yaml.safe_load(Path(path).read_text())
        folder = Path(path).parent
        content['settings'] = {
            name: Setting(
                teacher=_method(folder, entry['teacher']),
                refit=_config(folder, entry['refit']),
                methods={
                    method: _method(folder, how, entry.get('choices', {}))
                    for method, how in entry['methods'].items()
                },
            )
            for name, entry in content['settings'].items()
        }
        content['sweeps'] = [
            Sweep(name, **entry) for name, entry in (content.get('sweeps') or {}).items()
        ]
        content['comparisons'] = [Comparison(**entry) for entry in content.get('comparisons') or ()]
        recipe = cls(**content)
        recipe._check_names()
        return recipe

    def runs(
        self,
        only: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        methods: Sequence[str] | None = None,
    ) -> list[Run]:
        """All runs in their order: teachers, methods seed by seed, sweeps.

        Args:
            only: Settings to keep. None keeps all.
            seeds: Seeds to keep. None means those of the recipe.
            methods: Methods to keep, ``'teacher'`` among them. None keeps all.

        Raises:
            ValueError: If there is no such setting or method.
        """
        only = self._known(only)
        self._check_methods(only, methods)
        seeds = self.seeds if seeds is None else list(seeds)
        runs = [Run(name, TEACHER, self.teacher_seed) for name in only]
        # Every method once before any twice: early tables are complete.
        for seed in seeds:
            runs += [
                Run(name, method, seed) for name in only for method in self.settings[name].methods
            ]
        for seed in seeds:
            runs += [
                Run(sweep.setting, sweep.method, seed, sweep.name, value, sweep.retrain)
                for sweep in self.sweeps
                if sweep.setting in only
                for value in sweep.values
            ]
        return [run for run in runs if methods is None or run.method in methods]

    def method(self, run: Run) -> Method:
        """How a run trains."""
        setting = self.settings[run.setting]
        if run.method == TEACHER:
            return setting.teacher
        return setting.methods[run.method]

    def options(self, run: Run) -> dict[str, Any]:
        """The options that a run sets on top of its config and its seed."""
        if run.sweep is None:
            return {}
        (sweep,) = [each for each in self.sweeps if each.name == run.sweep]
        return {**sweep.fixed, sweep.option: run.value}

    def _known(self, only: Sequence[str] | None) -> list[str]:
        unknown = sorted(set(only or ()) - set(self.settings))
        if unknown:
            raise ValueError(f'there is no setting {unknown}; choose from {sorted(self.settings)}.')
        return list(self.settings if only is None else only)

    def _check_methods(self, only: Sequence[str], methods: Sequence[str] | None) -> None:
        known = {TEACHER, *(method for name in only for method in self.settings[name].methods)}
        unknown = sorted(set(methods or ()) - known)
        if unknown:
            raise ValueError(
                f'no setting of {list(only)} has a method {unknown}; choose from {sorted(known)}.'
            )

    def _check_names(self) -> None:
        entries: list[Sweep | Comparison] = [*self.sweeps, *self.comparisons]
        for entry in entries:
            self._known([entry.setting])
            methods = self.settings[entry.setting].methods
            for name in (entry.method, getattr(entry, 'against', entry.method)):
                if name not in methods:
                    raise ValueError(
                        f'{entry} names {name!r}, which {entry.setting!r} does not '
                        f'have; its methods are {list(methods)}.'
                    )


def _method(
    folder: Path, entry: str | dict[str, Any], choices: dict[str, str] | None = None
) -> Method:
    """A config alone, or a mapping with further fields of :class:`Method`."""
    method = Method(entry) if isinstance(entry, str) else Method(**entry)
    # Those of the setting; the method's own win.
    method = method._replace(choices={**(choices or {}), **method.choices})
    if method.processes < 1:
        raise ValueError(f'{method} needs at least 1 process.')
    return method._replace(config=_config(folder, method.config))


def _config(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; paths of configs are relative to the recipe.'
        )
    return str(path)
