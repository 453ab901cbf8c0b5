"""`python -m myriad_edge` is the command."""

from myriad_edge.cli import main

main()
