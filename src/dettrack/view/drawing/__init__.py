"""Pictures: skeletons on video, plots."""
