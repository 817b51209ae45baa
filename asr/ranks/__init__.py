"""Several processes that train or decode as one."""
