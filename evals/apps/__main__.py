"""`python -m saccade.evals.apps [--model builtin] [--app todomvc] [--only NAME] [--out runs/apps]`."""

from .play import main

if __name__ == "__main__":
    main()
