"""Errors of reading feature files and the stores."""


class FeatureError(RuntimeError):
    """Base of the package's errors."""


class FeaturesMissing(FeatureError):
    """No feature files were published yet."""


class NotWarm(FeatureError):
    """Feast is still being imported (seconds after start); read again later or use the defaults."""
