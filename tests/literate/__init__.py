"""Literate tests: Markdown suites whose programs are run by the analysis and by torch (see `runner`)."""
