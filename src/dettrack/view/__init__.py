"""Looking at results: `drawing` on frames, and the viewer: a page, its server, the same page as one file.

Reads results; runs no network.
"""
