"""What kgan raises when a call cannot be right."""


class Mistake(ValueError):
    """A mistake that the caller can mend: its message is one sentence with the bad value and the choices.

    The command line prints the sentence without a traceback. Any other ValueError that leaves kgan is a bug in kgan.
    """
