"""HLS playlists: types, builder, renderer, parser and the rules they must keep."""
