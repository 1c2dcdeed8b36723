"""Draw the curves of runs: the command ``gendd-plot-run``."""

from gendd_commands.plot_run import main

if __name__ == '__main__':
    main()
