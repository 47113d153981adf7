"""The PoseTrack evaluation and what explains its figures."""
