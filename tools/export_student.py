"""Export the student of a distillation: the command ``gendd-export``."""

from gendd_commands.export_student import main

if __name__ == '__main__':
    main()
