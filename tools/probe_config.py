"""Write the config that trains the probe of a finished run anew: ``gendd-probe-config``."""

from gendd_commands.probe_config import main

if __name__ == '__main__':
    main()
