"""How penstock/tiny-chat is made: corpus, tokenizer, training, export and evaluation."""
