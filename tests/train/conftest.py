"""Pages of tests are the same on every machine, whether it has a word list or not."""

import os

os.environ["SACCADE_WORDS"] = ""  # read when `train.words` is imported
