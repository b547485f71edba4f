"""The YAML file as frozen values."""
