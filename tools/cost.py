"""What a training step costs: the command ``gendd-cost``."""

from gendd_commands.cost import main

if __name__ == '__main__':
    main()
