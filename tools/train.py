"""Train a model in the stages that its config names: the command ``gendd-train``."""

from gendd_commands.train import main

if __name__ == '__main__':
    main()
