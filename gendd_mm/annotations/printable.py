"""Names of files that any terminal and any log file can print."""


def printable(text: object) -> str:
    r"""A text in UTF-8; bytes of a file name that are none are written ``\udce9``."""
    return str(text).encode('utf-8', 'backslashreplace').decode()
