"""The local stack: PostgreSQL, Valkey and S3 from wheels, and Myriad's own processes, under one command.

`engines.py` starts the three engines alone (tests use it too); `python -m deploy.local up` starts everything.
"""
