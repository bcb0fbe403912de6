"""`python -m nextreel` is `nextreel`."""

from nextreel.cli import main

main()
