"""What the contract lets come back, and what can be said of what came."""
