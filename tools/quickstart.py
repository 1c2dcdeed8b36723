"""The quick start, train and compare on the digits: the command ``gendd-quickstart``."""

from gendd_commands.quickstart import main

if __name__ == '__main__':
    main()
