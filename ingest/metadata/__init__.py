"""What a source is called and looks like: tags, cover art, sidecars; hostile bytes are parsed in a child process."""
