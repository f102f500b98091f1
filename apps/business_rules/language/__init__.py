"""One small language for rules, the search in lists and the form of condition rows (docs/language.md)."""
