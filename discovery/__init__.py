"""What listeners find: the list of live tracks, kept in step with the store."""
