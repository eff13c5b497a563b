"""`python -m vech` is the command `vech`."""

from vech.cli import main

if __name__ == "__main__":
    main()
