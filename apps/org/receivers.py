"""What this app does when others act."""
