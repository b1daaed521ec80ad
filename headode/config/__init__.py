"""Configuration files: YAML to model objects and back, with exact messages about faults."""

from headode.config.config import Config
from headode.config.load import config_from_dict, load_config

__all__ = ["Config", "config_from_dict", "load_config"]
