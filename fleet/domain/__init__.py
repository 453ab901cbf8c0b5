"""Where models work: the verbs and reads."""
