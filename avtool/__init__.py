"""Other programs, confined: ffmpeg located, told what to do, run, understood."""
