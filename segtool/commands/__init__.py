"""One command a file. What a command needs is imported inside its function, so that its help costs nothing."""
