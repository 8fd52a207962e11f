"""`python -m saccade.evals.apps [APP]...`: the same as `saccade eval apps`."""

import sys

from saccade.ui.cli import main

if __name__ == "__main__":
    main(["eval", "apps", *sys.argv[1:]])
