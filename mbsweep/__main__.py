"""`python -m mbsweep`."""

from mbsweep.commands.app import app

if __name__ == "__main__":
    app(prog_name="mbsweep")
