"""Part of the interface of AIFlow's notification service."""
