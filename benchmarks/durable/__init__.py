"""Durable workflows: this project beside Temporal's dev server and DBOS."""
