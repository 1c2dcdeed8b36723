"""Evaluate a checkpoint: the command ``gendd-test``."""

from gendd_commands.test import main

if __name__ == '__main__':
    main()
