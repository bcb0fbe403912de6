"""Run the command line: `python -m nextreel` does the same as `nextreel`."""

from nextreel.cli import main

main()
