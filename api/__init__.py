"""The REST API: Falcon under gunicorn, over the service functions of the client."""
