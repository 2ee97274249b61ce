"""One list of feature columns and one read of them as of an instant, in training and in serving.

Input: the feature files that `transforms` publishes. Output: values as of an instant, rows in Feast's online store.
"""
