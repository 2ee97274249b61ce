"""The recommender: recipes, models, fit, train."""
