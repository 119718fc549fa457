"""`site_config.yaml` read from disk: every problem at once, each with its line."""

from atlas.configfile.loading import LoadedConfig, json_schema, load_config
from atlas.configfile.sizes import parse_size
from atlas.configfile.yamlfile import YamlFile, read_yaml

__all__ = ["LoadedConfig", "YamlFile", "json_schema", "load_config", "parse_size", "read_yaml"]
