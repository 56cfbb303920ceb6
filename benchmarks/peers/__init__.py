"""Other engines on the same weights and frames, each in a process of its own, in turn with segtool's Segmenter."""
