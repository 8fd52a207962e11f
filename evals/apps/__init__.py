"""Tasks on the pages of real web applications, from packages of npm and PyPI, judged by their own state.

python -m saccade.evals.apps --model builtin
"""

from .play import Result, play_all, summary
from .site import Site, open_site
from .tasks import TASKS, AppTask

__all__ = ["TASKS", "AppTask", "Result", "Site", "open_site", "play_all", "summary"]
