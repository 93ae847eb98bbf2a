"""Live workflows: the code of an author, driven by activations."""

from workflows.engine.instance.instance import Instance
from workflows.engine.instance.options import Conversion, InstanceOptions

__all__ = ["Conversion", "Instance", "InstanceOptions"]
