"""The commands of tools.py."""
