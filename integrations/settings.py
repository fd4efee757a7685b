"""Every setting of the system, read from the environment.

The prefix is `FITMONITOR_`; groups are nested with two underscores, as in
`FITMONITOR_DATABASE__URL`. The profile chooses defaults only: each part can be
replaced by its own setting. A secret that is missing stops the start with its name.
"""

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from re import compile as regex
from typing import Any, Self

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from integrations.settings_errors import DELIMITER, PREFIX, LenientEnvironment, named_errors
from integrations.web_addresses import origin_of, read_web_address

# Of pages within an application of a phone, as in `capacitor://localhost`.
_OTHER_ORIGIN = regex(r"(?!https?:)[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?")


class Profile(StrEnum):
    """Which parts stand behind the code unless a setting says otherwise."""

    EMBEDDED = "embedded"
    FULL = "full"
    PRODUCTION = "production"


class DatabaseSettings(BaseModel):
    """The store. `url` is SQLAlchemy's, with the password in it, hence secret."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="As in `mysql+pymysql://user:password@host/fitmonitor`; a local stack names its own store here.",
    )
    pool_size: int = Field(default=8, ge=1, le=200, description="Connections that one replica keeps, at most.")
    statement_timeout_s: float = Field(
        default=5.0, gt=0, description="A wait for a lock ends after so long; not beside SQLite."
    )


class KafkaSettings(BaseModel):
    """Kafka and the topics used on it."""

    bootstrap_servers: str = Field(
        default="", description="As in `host1:9092,host2:9092`; a local stack names its own broker here."
    )
    security_protocol: str = Field(default="PLAINTEXT", description="librdkafka's `security.protocol`.")
    commands_topic: str = Field(default="door-commands", description="What the door is asked.")
    replies_topic: str = Field(default="door-replies", description="What it answers.")
    events_topic: str = Field(default="gym-events", description="What it has done.")
    payments_topic: str = Field(default="payment-events", description="What Stripe has told of.")
    dead_letters_topic: str = Field(default="dead-letters", description="What could not be handled.")
    commands_partitions: int = Field(
        default=64, ge=1, description="Of a topic that is made new; as many consumers can share the work."
    )
    replies_partitions: int = Field(default=16, ge=1, description="The same; replicas of the gateway share them.")
    payments_partitions: int = Field(default=8, ge=1, description="The same, of payments.")
    door_group: str = Field(default="door-consumers", description="The consumer group of the door.")
    payments_group: str = Field(default="payment-consumers", description="The consumer group of payments.")
    session_timeout_ms: int = Field(default=6000, description="How long a killed consumer's partitions stay dark.")

    @property
    def topics(self) -> tuple[str, ...]:
        """The name of every topic."""
        return tuple(getattr(self, name) for name in type(self).model_fields if name.endswith("_topic"))

    @property
    def consumed(self) -> tuple[tuple[str, str], ...]:
        """Each consumer group with the topic that it reads."""
        return (self.door_group, self.commands_topic), (self.payments_group, self.payments_topic)


class DoorSettings(BaseModel):
    """Limits on the way of a scan; the rules themselves stand in `domain/door`."""

    deadline_s: float = Field(default=1.8, gt=0, description="A decision later than this after arrival is none.")
    repeat_window_s: float = Field(default=15.0, ge=0, description="A phone held up is answered again for so long.")
    batch_max: int = Field(default=256, ge=1, description="Commands that the consumer decides in one transaction.")
    handle_batch_max: int | None = Field(default=None, ge=1, description="Deprecated and ignored.", deprecated=True)
    handle_calls_in_flight: int | None = Field(
        default=None, ge=1, description="Deprecated and ignored.", deprecated=True
    )
    scans_per_device_per_second: float = Field(default=50.0, gt=0, description="More are answered 429.")
    most_admitted_offline: int = Field(default=200, ge=0, description="By a door that cannot reach the server.")
    tidy_every_s: float = Field(default=20.0, gt=0, description="How often it is looked for what was forgotten.")
    annul_window_s: float = Field(default=900.0, gt=0, description="How long a device may annul its own scan.")


class ConsumerSettings(BaseModel):
    """How many consumers of the door a local stack runs; where unset, `serve_config.yaml` says.

    Embedded there is one whatever is set: SQLite lets one write at a time, so a second one would only wait.
    """

    min: int | None = Field(default=None, ge=1, description="Consumers at rest.")
    max: int | None = Field(default=None, ge=1, description="Consumers under lag; as many as `min` fixes their number.")
    calm_s: float | None = Field(default=None, gt=0, description="After so long without need there is one fewer.")


class PassSettings(BaseModel):
    """Where the keys of the passes are. Embedded and full: a folder that the stack fills."""

    key_dir: Path | None = Field(default=None, description="Unset on a local stack: `keys/passes` in the data folder.")


class IdentitySettings(BaseModel):
    """The identity provider: which tokens are accepted, and where accounts are kept.

    A `user_pool_id` makes it Cognito; without one it is the local provider.
    """

    issuer: str = Field(default="", description="Who issues the tokens that are accepted: their `iss`.")
    client_id: str = Field(default="fitmonitor-local", description="The app client that tokens must be for.")
    jwks_url: str = Field(default="", description="Where the public keys of tokens are.")
    leeway_s: float = Field(default=60.0, description="How far clocks may differ where a token's times are checked.")
    user_pool_id: str = Field(default="", description="Cognito's user pool.")
    region: str = Field(default="", description="Where the pool and the functions are.")
    endpoint_url: str = Field(default="", description="Another address of Cognito and Lambda, as in tests.")
    hosted_url: str = Field(default="", description="Address of Cognito's own sign-in page, without a path.")
    redirect_uris: list[str] | None = Field(
        default=None,
        examples=[["https://app.example.com/callback"]],
        description="Pages to which the local provider's sign-in page may return, compared letter by letter; JSON "
        "list. Beside our own callback and `default_stage.redirect_uri`. Unset: `/callback` of each allowed origin.",
    )
    list_users_function: str = Field(default="fitmonitor-list-users", description="Name of the Lambda function.")
    change_role_function: str = Field(default="fitmonitor-change-role", description="Name of the Lambda function.")
    signing_key_dir: Path | None = Field(default=None, description="The local provider's keys; unset in production.")
    accounts_file: Path | None = Field(default=None, description="The local provider's accounts; unset in production.")
    token_minutes: float = Field(default=60, gt=0, description="Life of the local provider's access tokens.")
    refresh_days: float = Field(default=30, gt=0, description="Life of the local provider's refresh tokens.")
    argon2_memory_kib: int = Field(default=19_456, ge=8, description="Of one hash; as OWASP advises.")
    argon2_passes: int = Field(default=2, ge=1, description="Of one hash.")
    free_attempts: int = Field(
        default=5, ge=1, description="Wrong tries for one account from one network, or of a known device."
    )
    free_attempts_of_address: int = Field(default=30, ge=1, description="Wrong tries from one network address.")
    longest_delay_s: float = Field(default=900, gt=0, le=86_400, description="Delays double from 1 s up to this.")
    stranger_attempts_per_hour: int = Field(
        default=50, ge=1, description="Wrong tries for one account of all but known devices; then they wait."
    )
    stranger_mails_per_hour: int = Field(
        default=20, ge=1, description="Mails that all but known devices have sent to one address."
    )
    mails_of_address_per_hour: int = Field(
        default=100, ge=1, description="Mails that one network address has sent, to whomever."
    )
    known_device_days: float = Field(
        default=180, gt=0, le=400, description="How long a device that has signed in is told apart from strangers."
    )


class MailSettings(BaseModel):
    """Where mail goes: to an SMTP server, or without one into a folder, with the code in the log."""

    sender: str = Field(default="FIT Monitor <no-reply@fitmonitor.localhost>", description="Who mails are from.")
    folder: Path | None = Field(default=None, description="Unset on a local stack: `mail` in the data folder.")
    smtp_host: str = Field(default="", description="The SMTP server.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_user: str = Field(default="", description="Empty: without signing in.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Of that user.")
    smtp_starttls: bool = Field(default=True, description="Whether the connection must be encrypted by STARTTLS.")


class ImageSettings(BaseModel):
    """Where pictures are kept: in a bucket of S3, or without one in a folder; and which are taken."""

    folder: Path | None = Field(default=None, description="Unset on a local stack: `images` in the data folder.")
    bucket: str = Field(default="", description="The bucket.")
    region: str = Field(default="", description="Its region.")
    endpoint_url: str = Field(default="", description="Another server that speaks S3's language.")
    access_key_id: str = Field(default="", description="For such a server; AWS's own come from the environment.")
    secret_access_key: SecretStr = Field(default=SecretStr(""), description="The same.")
    presigned: bool = Field(default=False, description="Whether clients fetch pictures from the bucket itself.")
    max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, description="Of one upload.")
    max_pixels: int = Field(default=40_000_000, ge=1, description="Width times height of one upload.")
    sweep_after_hours: float = Field(default=24, gt=0, description="What nobody shows is kept for so long.")


class ApiSettings(BaseModel):
    """Limits of the HTTP interface."""

    max_body_bytes: int = Field(
        default=64 * 1024, ge=1024, description="Of one call; pictures have a limit of their own."
    )
    public_url: str = Field(
        default="", description="Where the public reaches this, without a path; else host and port."
    )
    allowed_origins: list[str] = Field(
        default=[], examples=[["https://app.example.com"]], description="Other origins whose pages may call; JSON list."
    )
    forwarded_header: str = Field(
        default="X-Forwarded-For",
        pattern=r"^[A-Za-z0-9-]+$",
        description="The one header in which the proxies name the client; `Forwarded` is read by RFC 7239.",
    )
    forwarded_hops: int = Field(
        default=1, ge=0, description="Trusted proxies in front, each of which appends to that header. 0: no proxy."
    )
    requests_per_user_per_second: float = Field(default=50.0, gt=0, description="More are answered 429.")
    sign_ins_per_address_per_second: float = Field(
        default=5.0, gt=0, description="Calls without a token that try; unknown devices."
    )
    idempotency_hours: float = Field(default=24, gt=0, description="How long a repeated call gets the first answer.")

    @field_validator("allowed_origins")
    @classmethod
    def as_browsers_say(cls, origins: list[str]) -> list[str]:
        """Each origin as a browser sends it: without a slash at the end, in lower case, without the usual port."""
        return list(dict.fromkeys(_origin(each.strip()) for each in origins))


def _origin(named: str) -> str:
    if named == "*":
        return named
    if (found := origin_of(named)) is not None:
        return found
    if _OTHER_ORIGIN.fullmatch(other := named.lower().removesuffix("/")):
        return other
    raise ValueError(f"{named!r} is not an origin. Use scheme, host and port without a path")


def url_of(host: str, port: int) -> str:
    """Where a host answers by HTTP; without a host, at every address."""
    named = f"[{host}]" if ":" in host else host or "0.0.0.0"  # noqa: S104 - named, not listened on
    return f"http://{named}:{port}"


class DefaultStageSettings(BaseModel):
    """The existing web client, which calls `/default`; its origin belongs into `api.allowed_origins`."""

    enabled: bool = Field(default=True, description="Whether a local stack serves `/default` at all.")
    redirect_uri: str = Field(default="", description="Its page to which the sign-in page returns.")
    gym_number: int = Field(default=1, ge=1, description="Its gym, by the small running number that it knows.")
    pass_validity_s: int = Field(
        default=300,
        ge=45,
        le=900,
        description="How long its passes are good, which it never renews; 45 is as long as any other pass.",
    )


class StripeSettings(BaseModel):
    """Payments by Stripe. Without a key nobody can buy; without a webhook secret no event is taken, signed or not."""

    api_key: SecretStr = Field(default=SecretStr(""), description="A local stack without one starts the sandbox.")
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="Of the webhook's endpoint: `whsec_…`.")
    api_base: str = Field(default="", description="Another address of Stripe's API: the sandbox of a local stack.")
    timeout_s: float = Field(default=8.0, gt=0, description="Of one call; what is asked again has the same key.")
    retries: int = Field(default=2, ge=0, description="Of a call that failed on the way, or was refused as too many.")


class PaymentSettings(BaseModel):
    """Orders, freezes and mails about memberships."""

    reconcile_every_s: float = Field(default=120.0, gt=0, description="How often open orders are asked about.")
    unchecked_for_s: float = Field(default=60.0, ge=0, description="Orders asked about since then are left alone.")
    remind_every_s: float = Field(default=600.0, gt=0, description="How often it is looked whom to remind.")
    freeze_at_once_days: int = Field(default=31, ge=0, description="A member's own freeze, at most; 0: staff only.")
    freeze_days_a_year: int = Field(default=62, ge=0, description="A member's own freezes together, at most.")
    freeze_ahead_days: int = Field(default=60, ge=0, description="How far ahead a member's own freeze may begin.")


class LiveSettings(BaseModel):
    """The live view under `/api/live`."""

    enabled: bool = Field(default=True, description="Whether a local stack serves the live view at all.")
    streams_per_asker: int = Field(default=20, ge=1, description="How many one user or device may have open.")


class Settings(BaseSettings):
    """All settings of one process.

    Raises:
        pydantic.ValidationError: naming every setting that production needs and lacks.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="ignore", hide_input_in_errors=True
    )

    profile: Profile = Field(default=Profile.EMBEDDED, description="Which parts stand behind the code.")
    host: str = Field(default="127.0.0.1", description="The address of the public port; others stay on loopback.")
    port: int = Field(default=8000, ge=1, le=65535, description="Where the API listens.")
    data_dir: Path = Field(
        default=Path(".data"),
        description="Keys, store, logs. Two stacks side by side have two of these, and two ports.",
    )
    database: DatabaseSettings = DatabaseSettings()
    kafka: KafkaSettings = KafkaSettings()
    door: DoorSettings = DoorSettings()
    consumers: ConsumerSettings = ConsumerSettings()
    passes: PassSettings = PassSettings()
    identity: IdentitySettings = IdentitySettings()
    mail: MailSettings = MailSettings()
    images: ImageSettings = ImageSettings()
    api: ApiSettings = ApiSettings()
    default_stage: DefaultStageSettings = DefaultStageSettings()
    live: LiveSettings = LiveSettings()
    stripe: StripeSettings = StripeSettings()
    payments: PaymentSettings = PaymentSettings()
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @property
    def deprecated_variables(self) -> list[str]:
        """The variables that are set and have no effect any more."""
        groups = {name: value for name, value in self if isinstance(value, BaseModel)}
        return [
            f"{PREFIX}{name}{DELIMITER}{field}".upper()
            for name, group in groups.items()
            for field in sorted(group.model_fields_set)
            if type(group).model_fields[field].deprecated
        ]

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic's own
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        prefix = getattr(env_settings, "env_prefix", PREFIX)
        return init_settings, LenientEnvironment(settings_cls, env_prefix=prefix)

    @model_validator(mode="wrap")
    @classmethod
    def name_variables(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - pydantic's own
        """Say of each wrong value which variable it is of."""
        try:
            return handler(values)
        except ValidationError as error:
            raise named_errors(error, cls.model_fields) from None

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Fill what the profile implies; in production name everything that is missing."""
        self.data_dir = self.data_dir.absolute()
        public_url = self.api.public_url or url_of(self.host, self.port)
        if read_web_address(public_url) is None:
            name = "FITMONITOR_API__PUBLIC_URL" if self.api.public_url else "FITMONITOR_HOST"
            raise ValueError(f"{name}: the public would reach this at {public_url!r}, which is no address by http(s)")
        self.api.public_url = origin_of(public_url) or public_url.rstrip("/")
        self.default_stage.redirect_uri = self.default_stage.redirect_uri or f"{self.api.public_url}/"
        self._refuse_redirects()
        if self.profile is Profile.PRODUCTION:
            self._refuse_gaps()
            return self
        keys = self.data_dir / "keys"
        if not self.database.url.get_secret_value() and self.profile is Profile.EMBEDDED:
            self.database.url = SecretStr(f"sqlite:///{self.data_dir / 'fitmonitor.sqlite3'}")
        self.passes.key_dir = self.passes.key_dir or keys / "passes"
        self.mail.folder = self.mail.folder or self.data_dir / "mail"
        self.images.folder = self.images.folder or self.data_dir / "images"
        if self.identity.user_pool_id:
            return self
        self.identity.signing_key_dir = self.identity.signing_key_dir or keys / "identity"
        self.identity.accounts_file = self.identity.accounts_file or self.data_dir / "accounts.sqlite3"
        self.identity.issuer = self.identity.issuer or "https://identity.fitmonitor.localhost/local"
        self.identity.jwks_url = (
            self.identity.jwks_url or (self.identity.signing_key_dir.absolute() / "jwks.json").as_uri()
        )
        return self

    def _refuse_redirects(self) -> None:
        named = [("FITMONITOR_IDENTITY__REDIRECT_URIS", uri) for uri in self.identity.redirect_uris or []]
        for name, uri in (*named, ("FITMONITOR_DEFAULT_STAGE__REDIRECT_URI", self.default_stage.redirect_uri)):
            if not uri.isascii() or read_web_address(uri) is None:
                raise ValueError(
                    f"{name}: {uri!r} is no page to return to. Use an absolute address by http or https, without a "
                    "user name, a fragment or white space, as in https://app.example.com/callback"
                )

    def _refuse_gaps(self) -> None:
        needed = {
            "FITMONITOR_DATABASE__URL": self.database.url.get_secret_value(),
            "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "FITMONITOR_PASSES__KEY_DIR": self.passes.key_dir,
            "FITMONITOR_IDENTITY__ISSUER": self.identity.issuer,
            "FITMONITOR_IDENTITY__JWKS_URL": self.identity.jwks_url,
            "FITMONITOR_IDENTITY__USER_POOL_ID": self.identity.user_pool_id,
            "FITMONITOR_IDENTITY__REGION": self.identity.region,
            "FITMONITOR_MAIL__SMTP_HOST": self.mail.smtp_host,
            "FITMONITOR_IMAGES__BUCKET": self.images.bucket,
        }
        missing = sorted(name for name, value in needed.items() if not value)
        if self.identity.client_id == IdentitySettings().client_id:
            missing.append("FITMONITOR_IDENTITY__CLIENT_ID")
        if missing:
            raise ValueError("production needs these settings: " + ", ".join(missing))


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
