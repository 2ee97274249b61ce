"""What others read of the catalog: product feeds for shopping engines, and the site map."""
