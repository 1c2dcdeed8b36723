from .grid import run_grid
from .recipe import TEACHER, Comparison, Recipe, Run, Sweep
from .records import append_record, latest_records, read_records
from .report import write_report

__all__ = [
    'TEACHER',
    'Comparison',
    'Recipe',
    'Run',
    'Sweep',
    'append_record',
    'latest_records',
    'read_records',
    'run_grid',
    'write_report',
]
