"""How the parts are assembled: settings, addresses, the Celery app and the WSGI entry."""
