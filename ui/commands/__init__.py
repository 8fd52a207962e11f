"""The commands of `saccade`, one file per family. Each imports what it needs only when it runs."""
