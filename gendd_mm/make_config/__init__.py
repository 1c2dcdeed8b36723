from .writer import write_config

__all__ = ['write_config']
