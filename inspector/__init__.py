"""Looking at anybody's HLS, over HTTP or in a folder, and telling what is wrong with it."""
