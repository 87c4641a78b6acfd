"""The authored grammar and lexicon that write the data of `tasks/mini/`."""
