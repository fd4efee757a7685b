"""Which signals end a program of this package, whatever its parent process ignores or blocks."""

import signal

_ENDING = (signal.SIGINT, signal.SIGTERM)


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end this process and those that it starts.

    A process inherits which signals are ignored or blocked. A shell starts its background jobs with SIGINT ignored, and
    so do `nohup` and some CI runners for what they run; Python then leaves it ignored. SIGHUP stays as it is: `nohup`
    ignores it so that a program outlives its terminal.
    """
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
