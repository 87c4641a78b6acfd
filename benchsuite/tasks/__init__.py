"""Tasks: what they are (`spec`), where they are (`registry`), their examples (`data`), prompts."""
