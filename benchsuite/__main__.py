"""`bench`, also as `python -m benchsuite`: an interrupt is one line even while things load."""

import sys


def main() -> None:
    """Run the command line; the exit code of an interrupt is 130."""
    try:
        from benchsuite.cli import main as bench

        bench()
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
