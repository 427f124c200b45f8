"""The ladder of tiny base models: the text they read, their tokenizer, the recipe, the shipped weights."""
