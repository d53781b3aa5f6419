"""Work on a whole store: collect what nobody needs, copy it, check every byte of it, write parts of it out."""
