"""`python -m stance` is `stance`."""

from stance.cli import main

if __name__ == "__main__":
    main(prog_name="stance")
