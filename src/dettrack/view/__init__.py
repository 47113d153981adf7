"""The viewer: a page, the server behind it, and the same page as one file. Reads results; runs no network."""
