"""The networks, their checkpoints, and the estimators that turn tubes into joints."""
