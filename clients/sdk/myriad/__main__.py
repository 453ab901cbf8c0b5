"""`python -m myriad` is the `myriad` command."""

from myriad.cli.main import main

main()
