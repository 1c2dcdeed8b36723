from .gendd import GenDDDistiller

__all__ = ['GenDDDistiller']
