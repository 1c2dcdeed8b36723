"""Write the config of your own pair: the command ``gendd-make-config``."""

from gendd_commands.make_config import main

if __name__ == '__main__':
    main()
