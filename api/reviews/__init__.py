"""Reviews of products: who wrote what, how others judge it, what its seller answers, and the ratings that follow."""
