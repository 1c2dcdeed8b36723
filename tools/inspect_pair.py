"""Check a pair before it is trained: the command ``gendd-inspect-pair``."""

from gendd_commands.inspect_pair import main

if __name__ == '__main__':
    main()
