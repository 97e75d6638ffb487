"""`python3 -m reactor`: see `reactor.cli`."""

import sys

if __name__ == "__main__":
    try:
        from reactor.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:  # while it was being imported
        sys.exit(130)
