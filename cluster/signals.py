"""The signals that end our programs, even if the parent process ignores or blocks them."""

import _thread
import signal
import sys
from collections.abc import Callable
from threading import Timer

_ENDING = (signal.SIGINT, signal.SIGTERM)
_RETRY_AFTER_S = 0.05  # after the hook has returned: an interrupt inside it would be dropped too


class _InterruptAgain:
    """Repeats an interrupt that Python drops because it was raised in a finalizer.

    A signal can arrive while an object is finalized, such as an unused connection. Without this hook for unraisable
    exceptions the program would go on.
    """

    def __init__(self, default: "Callable[[sys.UnraisableHookArgs], object]") -> None:
        self._default = default

    def __call__(self, dropped: "sys.UnraisableHookArgs") -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            retry = Timer(_RETRY_AFTER_S, _thread.interrupt_main)
            retry.daemon = True
            retry.start()
        else:
            self._default(dropped)


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end this process and those that it starts.

    A process inherits which signals are ignored or blocked. A shell ignores SIGINT in its background jobs, and so do
    `nohup` and some CI runners; Python then leaves it ignored. SIGHUP stays as it is, because `nohup` ignores it so
    that a program outlives its terminal.
    """
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    if not isinstance(sys.unraisablehook, _InterruptAgain):
        sys.unraisablehook = _InterruptAgain(sys.unraisablehook)
