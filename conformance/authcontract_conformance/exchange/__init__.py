"""What goes over the wire and comes back: probes without secrets, and the vault that knows the secrets."""
