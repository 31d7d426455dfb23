"""What tests of the platform's programs stand on: an engine that records, a machine that builds nothing."""
