"""What templates say more than once."""
