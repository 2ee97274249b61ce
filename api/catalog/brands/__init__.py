"""What makes spellings one brand."""
