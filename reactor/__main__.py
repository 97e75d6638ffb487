"""`python3 -m reactor`: see `reactor.cli`."""

import sys

from reactor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
