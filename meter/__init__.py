"""One decode tells everything: loudness, true peaks, and what an engineer would look for in a master."""
