"""The board of coverage: who sees what, filters, weeks, addresses, files, paper, cost."""
