"""A recording, or a camera, through a Stream at a camera's pace: the whole of `segtool stream` but its options."""
