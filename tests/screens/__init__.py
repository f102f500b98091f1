"""Screens that exist only in tests: the base admin on real models, with every kind of field and control."""
