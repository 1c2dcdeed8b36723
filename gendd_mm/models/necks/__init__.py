from .projector_neck import ProjectorNeck

__all__ = ['ProjectorNeck']
