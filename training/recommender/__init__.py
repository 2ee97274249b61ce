"""The recommender: recipes, models, fitting, training runs."""
