"""The one way in which a request fails through its sender's fault."""


class UserFault(Exception):
    """A request that asks for something impossible: its future fails with category "user" and this one-line message."""
