"""What listeners played: events told by players, what counts as a listen, and who agreed to have it kept."""
