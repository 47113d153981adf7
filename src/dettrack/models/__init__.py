"""What finds people and joints: detectors, pose networks, the runtimes that run them, and weights."""
