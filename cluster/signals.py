"""Which signals end a program of this package, whatever its parent process ignores or blocks."""

import _thread
import signal
import sys
from collections.abc import Callable
from threading import Timer

_ENDING = (signal.SIGINT, signal.SIGTERM)
_AGAIN_AFTER_S = 0.05  # this hook has returned then; raised within it, the interrupt would be dropped too


class _InterruptAgain:
    """A hook for exceptions that Python drops because a finalizer raised them.

    A signal may arrive while an object is finalized, such as a connection that is garbage; the program would go on.
    """

    def __init__(self, otherwise: "Callable[[sys.UnraisableHookArgs], object]") -> None:
        self._otherwise = otherwise

    def __call__(self, dropped: "sys.UnraisableHookArgs") -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            again = Timer(_AGAIN_AFTER_S, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            self._otherwise(dropped)


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
    if not isinstance(sys.unraisablehook, _InterruptAgain):
        sys.unraisablehook = _InterruptAgain(sys.unraisablehook)
