"""Does the file answer as the network that was trained? Measured, judged, and repeated on the target computer."""
