"""What runs on the platform: definitions, operator, gateway, certificates and the sample's TaskServices."""
