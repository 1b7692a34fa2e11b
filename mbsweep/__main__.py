"""`python -m mbsweep`."""

from mbsweep.cli import app

if __name__ == "__main__":
    app(prog_name="mbsweep")
