"""`python -m saccade`."""

from .ui.cli import main

if __name__ == "__main__":
    main()
