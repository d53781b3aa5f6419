"""Is it music, and all of it? What is found out before, and learnt from, a decoder."""
