"""Who is calling: registration, login, the published signing keys, and the caller's own profile.

The only service that holds a private key. Others verify its tokens with the key set it publishes.
"""
