"""Who people are: accounts, sign-in, tokens, addresses."""
