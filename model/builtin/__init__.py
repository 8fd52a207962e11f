"""The shipped checkpoint: config, weights, tokenizer and chat template, in the official format."""
