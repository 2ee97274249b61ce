"""What is delivered online: at once when it is paid, in one commit with the order's steps to `delivered`."""
