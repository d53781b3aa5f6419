"""The demo player: a static page around hls.js."""
