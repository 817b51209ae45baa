"""When a model is asked for what it was not trained to do."""


class TaskError(ValueError):
    """The task of a model is another; the message says which, and what to use."""
