"""Sending a folder of photographs: scan, hash, ask for forms, send straight to S3, say that they have
arrived.

`engine` drives it: one thread hashes and cuts batches, up to three batches are under way at once (so that the
forms of the next are asked for while this one is being sent), and one pool of threads sends. `ingest` follows
what the server then does with the images.
"""
