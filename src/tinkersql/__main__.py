"""``python -m tinkersql``: the command line without its installed script."""

from tinkersql.cli import main

if __name__ == "__main__":
    main()
