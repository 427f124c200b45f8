"""The report: one page, its figures and its tables, from stored facts alone.

Floor 3. Knows matplotlib and jinja2; no engine, no grading, no statistics but means over seeds.
"""
