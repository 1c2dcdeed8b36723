"""The commands ``gendd-train``, ``gendd-export`` and so on; ``tools/`` has the same as scripts.

A package of its own, beside ``gendd_mm``: importing that takes seconds, because it loads
torch and OpenMMLab. A module here imports them only in a function that needs them, so
``--help`` and a wrong argument are answered at once.
"""
