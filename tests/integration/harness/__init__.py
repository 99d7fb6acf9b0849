"""What the integration tests are built from: servers to start and break, and a client to watch."""
