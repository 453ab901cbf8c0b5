"""Can one tenant reach what is another's? The isolation matrix (DESIGN §3.7) and what does not pass over HTTP."""
