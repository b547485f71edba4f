"""costspan: a zero-markup LLM gateway that says what every request truly cost."""

__version__ = "0.1.0"
