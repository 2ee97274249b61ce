"""Files that digital variants are: kept in the store of objects, and had by signed links that expire."""
