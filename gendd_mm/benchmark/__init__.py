from .grid import run_grid, run_workers
from .plots import plot_settings
from .prepared_run import PreparedRun, prepare_runs
from .recipe import TEACHER, Comparison, Method, Recipe, Run, Sweep
from .records import append_record, latest_records, read_records
from .report import overview_table, setting_table, write_report

__all__ = [
    'TEACHER',
    'Comparison',
    'Method',
    'PreparedRun',
    'Recipe',
    'Run',
    'Sweep',
    'append_record',
    'latest_records',
    'overview_table',
    'plot_settings',
    'prepare_runs',
    'read_records',
    'run_grid',
    'run_workers',
    'setting_table',
    'write_report',
]
