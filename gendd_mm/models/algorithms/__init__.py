from .gendd import GenDD

__all__ = ['GenDD']
