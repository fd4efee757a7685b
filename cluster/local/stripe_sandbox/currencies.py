"""Currencies and their decimals, as Stripe counts them (docs.stripe.com/currencies)."""

from cluster.local.stripe_sandbox.errors import InvalidParameterError, SandboxError


def _words(text: str) -> list[str]:
    return text.split()


_WITHOUT_DECIMALS = frozenset(_words("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"))
_THREE_DECIMALS = frozenset(_words("bhd jod kwd omr tnd"))
# Kept at two decimals by Stripe, though nothing below a whole unit can be charged.
_WHOLE_UNITS = frozenset({"isk", "ugx"})
_TWO_DECIMALS = frozenset(
    _words(
        """aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop
    crc
    cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd
    kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr
    pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst
    xcd yer zar zmw"""
    )
)
_KNOWN = _WITHOUT_DECIMALS | _TWO_DECIMALS | _THREE_DECIMALS
# What a charge must come to, in minor units (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
_LEAST = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
_MOST = 99_999_999


def decimals(currency: str) -> int:
    """How many decimals a currency has."""
    if currency in _WITHOUT_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def check_currency(currency: str, param: str) -> str:
    """A currency in the small letters in which Stripe answers.

    Raises:
        InvalidParameterError: there is no such currency.
    """
    lower = currency.lower()
    if lower not in _KNOWN:
        raise InvalidParameterError(f"Invalid currency: {currency[:10]}.", param)
    return lower


def check_divisible(amount: int, currency: str, param: str) -> None:
    """Refuse an amount that no card network can move.

    Raises:
        InvalidParameterError: the last digit of three decimals is not 0, or a currency without minor units has some.
    """
    step = 10 if currency in _THREE_DECIMALS else 100 if currency in _WHOLE_UNITS else 1
    if amount % step:
        message = f"Invalid amount: in {currency.upper()} it must be a multiple of {step} minor units"
        raise InvalidParameterError(message, param, "parameter_invalid_integer")


def check_total(total: int, currency: str) -> None:
    """Refuse a session whose total cannot be charged; nothing at all can.

    Raises:
        SandboxError: it is too small or too large.
    """
    least = _LEAST.get(currency, 1)
    if 0 < total < least:
        message = f"The Checkout Session's total amount due must add up to at least {shown(least, currency)}"
        raise SandboxError(message, code="amount_too_small", param="line_items", began=False)
    if total > _MOST:
        message = f"The Checkout Session's total amount due must be no more than {shown(_MOST, currency)}"
        raise SandboxError(message, code="amount_too_large", param="line_items", began=False)


def shown(amount: int, currency: str) -> str:
    """An amount of minor units as a person reads it: `1,234.50 EUR`."""
    places = decimals(currency)
    whole, part = divmod(abs(amount), 10**places)
    sign = "-" if amount < 0 else ""
    fraction = f".{part:0{places}d}" if places else ""
    return f"{sign}{whole:,}{fraction} {currency.upper()}"
