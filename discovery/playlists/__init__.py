"""Playlists that listeners keep: stored ones, those made by rules, and the files that they come from and go to."""
