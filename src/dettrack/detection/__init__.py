"""Person detectors behind one protocol."""
