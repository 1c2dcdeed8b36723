"""Draw features of test images: the command ``gendd-plot-features``."""

from gendd_commands.plot_features import main

if __name__ == '__main__':
    main()
