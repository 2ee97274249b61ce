"""What every page needs: the browser session."""
