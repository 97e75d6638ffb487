"""The command line: `python3 -m reactor COMMAND`. Nothing else of the library knows that it exists."""
