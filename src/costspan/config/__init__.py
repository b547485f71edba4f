"""The YAML file as frozen values.

`load.load` reads a file, `environment.from_environment` does without one; `schema` holds the sections.
"""
