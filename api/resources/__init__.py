"""What each route does: plain functions from a checked call to a reply."""
