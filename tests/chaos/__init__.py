"""What happens when parts of the service die. Each test ends with every image ready, once."""
