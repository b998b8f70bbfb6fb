"""HTTP routers by subject; views_api.py puts them together behind the superuser."""
