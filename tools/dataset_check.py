"""Read all the data of a config before a long run: the command ``gendd-check``."""

from gendd_commands.dataset_check import main

if __name__ == '__main__':
    main()
