"""`python -m benchsuite` is `bench`."""

from benchsuite.cli import main

main()
