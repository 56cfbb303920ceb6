"""How a model is approved: two of them on the same labelled frames, class by class, and what may not get worse."""
