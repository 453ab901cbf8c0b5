"""What pages ask of promotion and prediction."""
