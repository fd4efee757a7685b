"""What every HTTP application shares: authentication, rights, problems, paging, uploads, the ASGI application."""
