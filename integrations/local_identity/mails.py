"""Mails of the local provider."""

from domain.identity.ports import Mail


def confirm_mail(email: str, code: str) -> Mail:
    """Mail with the code that confirms an address."""
    text = (
        f"Your code to confirm this address is {code}. It is valid for a day.\n"
        "Enter it only where you have just signed up yourself, and give it to nobody. If you have not signed up,\n"
        "ignore this mail: without the code, no account is created for your address.\n"
    )
    return Mail(email, "Your FIT Monitor code", text, code)


def reset_mail(email: str, code: str) -> Mail:
    """Mail with the code that resets a password."""
    text = (
        f"Your code to set a new password is {code}. It is valid for 15 minutes. If you did not request it, "
        "ignore this mail.\n"
    )
    return Mail(email, "Set a new FIT Monitor password", text, code)
