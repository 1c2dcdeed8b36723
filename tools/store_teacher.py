"""Store the features of a teacher: the command ``gendd-store-teacher``."""

from gendd_commands.store_teacher import main

if __name__ == '__main__':
    main()
