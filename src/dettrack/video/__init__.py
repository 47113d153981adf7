"""Video in and out: sequential reading with true timestamps, shot cuts, H.264 writing."""
