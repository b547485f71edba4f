"""Spans and metrics. The only importer of opentelemetry."""
