"""Training of pose networks: tubes, augmentation, losses, scores."""
