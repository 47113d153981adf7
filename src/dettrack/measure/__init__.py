"""Angles, distances, speeds and step times from finished rows (docs/measures.md says how each is defined)."""
