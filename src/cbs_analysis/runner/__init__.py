"""The runner: turns an edition into executed notebooks. Plan what to make, execute it side by side, record
what became of it.
"""

from cbs_analysis.run_record import NotebookRecord, Run, read_run, run_path
from cbs_analysis.runner.batch import Event, default_workers, explain, keep_warm, run, run_plan, worker_pool
from cbs_analysis.runner.examples import execute_examples
from cbs_analysis.runner.execute import Result, execute
from cbs_analysis.runner.plan import Job, Limits, Plan, make_plan

__all__ = [
    "Event",
    "Job",
    "Limits",
    "NotebookRecord",
    "Plan",
    "Result",
    "Run",
    "default_workers",
    "execute",
    "execute_examples",
    "explain",
    "keep_warm",
    "make_plan",
    "read_run",
    "run",
    "run_path",
    "run_plan",
    "worker_pool",
]
