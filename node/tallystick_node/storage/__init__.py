"""What a node keeps on disk: the log, the vote, applied results, indexes, checkpoints, pins."""
