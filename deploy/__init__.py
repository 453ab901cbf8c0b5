"""How Myriad is shipped and run: the local stack, the demo, images for production."""
