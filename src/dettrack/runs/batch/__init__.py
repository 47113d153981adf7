"""Many videos: what is to be done (`inputs`), what was done (`manifest`), who does it (`processes`, `actors`)."""
