"""Tasks on the pages of real web applications, from packages of npm and PyPI, judged by their own state.

saccade eval apps --model builtin
"""

from .play import play_all, summary
from .site import APPS, Site, open_site
from .tasks import TASKS, AppTask

__all__ = ["APPS", "TASKS", "AppTask", "Site", "open_site", "play_all", "summary"]
