"""Shows bench records: one HTML page that needs nothing else, and a Markdown table. Reads records, measures nothing."""
