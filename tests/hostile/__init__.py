"""What attackers send: bodies, texts, addresses and headers; hostile files stand beside what reads them."""
