"""Every setting of the system, read from the environment.

The prefix is `FITMONITOR_`. Groups are nested with two underscores: `FITMONITOR_DATABASE__URL`. The profile chooses
defaults only; each part can be replaced by its own setting. In production a missing secret is an error at the start.
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

from integrations.deprecated_settings import (
    DeprecatedSetting,
    deprecated_among,
    former_variables,
    with_current_names,
)
from integrations.settings_errors import DELIMITER, PREFIX, LenientEnvironment, named_errors
from integrations.web_urls import origin_of, parse_web_url

# Pages inside a mobile app, as in `capacitor://localhost`.
_OTHER_ORIGIN = regex(r"(?!https?:)[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?")


class Profile(StrEnum):
    """Chooses the default of each part: database, Kafka, identity, images, payments, mail."""

    EMBEDDED = "embedded"
    FULL = "full"
    PRODUCTION = "production"


class DatabaseSettings(BaseModel):
    """The database."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="SQLAlchemy URL, as in `mysql+pymysql://user:password@host/fitmonitor`. Default: the local "
        "stack's own database.",
    )
    pool_size: int = Field(default=8, ge=1, le=200, description="Maximum number of connections of one replica.")
    statement_timeout_s: float = Field(default=5.0, gt=0, description="Lock wait timeout. Ignored on SQLite.")


class KafkaSettings(BaseModel):
    """Kafka and its topics."""

    bootstrap_servers: str = Field(
        default="", description="As in `host1:9092,host2:9092`. Default: the local stack's own broker."
    )
    security_protocol: str = Field(default="PLAINTEXT", description="librdkafka's `security.protocol`.")
    commands_topic: str = Field(default="door-commands", description="Commands to the door.")
    replies_topic: str = Field(default="door-replies", description="Replies of the door.")
    events_topic: str = Field(default="gym-events", description="Events of the door, from the outbox.")
    payments_topic: str = Field(default="payment-events", description="Payment events from Stripe.")
    dead_letters_topic: str = Field(default="dead-letters", description="Messages that could not be handled.")
    commands_partitions: int = Field(
        default=64, ge=1, description="Partitions of a new topic. This is also the maximum number of door consumers."
    )
    replies_partitions: int = Field(
        default=16, ge=1, description="Partitions of a new topic, shared by the replicas that wait for replies."
    )
    payments_partitions: int = Field(
        default=8, ge=1, description="Partitions of a new topic. This is also the maximum number of payment consumers."
    )
    door_group: str = Field(default="door-consumers", description="Consumer group of the door.")
    payments_group: str = Field(default="payment-consumers", description="Consumer group of payments.")
    archive_group: str = Field(default="archive-consumers", description="Consumer group of the attendance archive.")
    session_timeout_ms: int = Field(
        default=6000, description="A consumer that is silent for longer loses its partitions."
    )

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of all topics."""
        return tuple(getattr(self, name) for name in type(self).model_fields if name.endswith("_topic"))

    @property
    def subscriptions(self) -> tuple[tuple[str, str], ...]:
        """Pairs of consumer group and topic."""
        return (
            (self.door_group, self.commands_topic),
            (self.payments_group, self.payments_topic),
            (self.archive_group, self.events_topic),
        )


class DoorSettings(BaseModel):
    """Limits of the door. Its rules are in `domain/door`."""

    deadline_s: float = Field(
        default=1.8, gt=0, description="A scan must be decided within this time after its arrival."
    )
    repeat_window_s: float = Field(
        default=15.0, ge=0, description="A second scan of the same code within this time gets the first answer."
    )
    batch_max: int = Field(default=256, ge=1, description="Maximum number of commands in one transaction.")
    scans_per_device_per_second: float = Field(default=50.0, gt=0, description="Rate limit. Scans beyond it get 429.")
    max_offline_admissions: int = Field(
        default=200, ge=0, description="Maximum number of members that an offline door admits."
    )
    expire_visits_every_s: float = Field(
        default=20.0, gt=0, description="Interval of the job that ends forgotten visits."
    )
    annul_window_s: float = Field(default=900.0, gt=0, description="A device may annul its own scan within this time.")


class ConsumerSettings(BaseModel):
    """Number of door consumers of a local stack. Default: the values of `serve_config.yaml`.

    The embedded profile always runs one: SQLite has one writer at a time.
    """

    min: int | None = Field(default=None, ge=1, description="Minimum number of consumers.")
    max: int | None = Field(default=None, ge=1, description="Maximum number of consumers under lag.")
    scale_down_after_s: float | None = Field(default=None, gt=0, description="Scale down after this time without lag.")


class PassSettings(BaseModel):
    """Signing keys of the passes."""

    key_dir: Path | None = Field(
        default=None, description="Folder of the keys. Local default: `keys/passes` in the data folder."
    )


class IdentitySettings(BaseModel):
    """The identity provider: which tokens are valid, and where accounts are stored.

    With a `user_pool_id` it is Cognito, otherwise the local provider.
    """

    issuer: str = Field(default="", description="Expected issuer of tokens (`iss`).")
    client_id: str = Field(default="fitmonitor-local", description="App client that tokens must be issued for.")
    jwks_url: str = Field(default="", description="URL of the provider's public keys (JWKS).")
    leeway_s: float = Field(default=60.0, description="Allowed clock difference when a token's times are checked.")
    user_pool_id: str = Field(default="", description="Cognito user pool.")
    region: str = Field(default="", description="AWS region of the user pool and the Lambda functions.")
    endpoint_url: str = Field(default="", description="Alternative endpoint of Cognito and Lambda, for tests.")
    hosted_url: str = Field(default="", description="URL of Cognito's hosted sign-in page, without a path.")
    redirect_uris: list[str] | None = Field(
        default=None,
        examples=[["https://app.example.com/callback"]],
        description="Allowed redirect URIs of the local provider, compared as text; JSON list. The own callback "
        "and `default_stage.redirect_uri` are always allowed. Default: `/callback` of each allowed "
        "origin.",
    )
    list_users_function: str = Field(default="fitmonitor-list-users", description="Name of the Lambda function.")
    change_role_function: str = Field(default="fitmonitor-change-role", description="Name of the Lambda function.")
    signing_key_dir: Path | None = Field(
        default=None, description="Signing keys of the local provider. Not used in production."
    )
    accounts_file: Path | None = Field(
        default=None, description="Account database of the local provider. Not used in production."
    )
    token_minutes: float = Field(default=60, gt=0, description="Lifetime of the local provider's access tokens.")
    refresh_days: float = Field(default=30, gt=0, description="Lifetime of the local provider's refresh tokens.")
    argon2_memory_kib: int = Field(
        default=19_456, ge=8, description="Memory of one password hash, as OWASP recommends."
    )
    argon2_passes: int = Field(default=2, ge=1, description="Iterations of one password hash.")
    failed_attempts_before_delay: int = Field(
        default=5, ge=1, description="Failed attempts without delay, per account and network, or per known device."
    )
    failed_attempts_before_delay_per_address: int = Field(
        default=30, ge=1, description="Failed attempts without delay, per network address."
    )
    max_attempt_delay_s: float = Field(
        default=900, gt=0, le=86_400, description="Delays double from 1 s up to this value."
    )
    unknown_device_attempts_per_hour: int = Field(
        default=50, ge=1, description="Failed attempts per account and hour from all unknown devices together."
    )
    unknown_device_mails_per_hour: int = Field(
        default=20, ge=1, description="Mails per hour to one address that unknown devices may request."
    )
    mails_per_address_per_hour: int = Field(
        default=100, ge=1, description="Mails per hour that one network address may request."
    )
    known_device_days: float = Field(
        default=180, gt=0, le=400, description="A device that signed in counts as known for this time."
    )


class MailSettings(BaseModel):
    """Outgoing mail: by SMTP, or into a folder if no server is set."""

    sender: str = Field(default="FIT Monitor <no-reply@fitmonitor.localhost>", description="Sender of all mails.")
    folder: Path | None = Field(default=None, description="Folder for mails. Local default: `mail` in the data folder.")
    smtp_host: str = Field(default="", description="SMTP server.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the SMTP server.")
    smtp_user: str = Field(default="", description="User name. Empty: no authentication.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password of that user.")
    smtp_starttls: bool = Field(default=True, description="Require STARTTLS.")


class ImageSettings(BaseModel):
    """Storage and limits of pictures: an S3 bucket, or a folder if no bucket is set."""

    folder: Path | None = Field(
        default=None, description="Folder for pictures. Local default: `images` in the data folder."
    )
    bucket: str = Field(default="", description="S3 bucket.")
    region: str = Field(default="", description="AWS region of the bucket.")
    endpoint_url: str = Field(default="", description="Alternative S3 endpoint.")
    access_key_id: str = Field(
        default="", description="Access key for the alternative endpoint. AWS credentials come from the environment."
    )
    secret_access_key: SecretStr = Field(default=SecretStr(""), description="Secret key for the alternative endpoint.")
    presigned: bool = Field(default=False, description="Redirect clients to presigned URLs of the bucket.")
    max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, description="Maximum size of one upload.")
    max_pixels: int = Field(default=40_000_000, ge=1, description="Maximum width times height of one upload.")
    delete_unused_after_hours: float = Field(
        default=24, gt=0, description="Unused pictures are deleted after this time."
    )


class ApiSettings(BaseModel):
    """Limits of the HTTP API."""

    max_body_bytes: int = Field(
        default=64 * 1024, ge=1024, description="Maximum size of a request body. Pictures have their own limit."
    )
    public_url: str = Field(default="", description="Public URL of the API, without a path. Default: host and port.")
    allowed_origins: list[str] = Field(
        default=[],
        examples=[["https://app.example.com"]],
        description="Other origins whose pages may call the API (CORS); JSON list.",
    )
    forwarded_header: str = Field(
        default="X-Forwarded-For",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header in which the proxies name the client. `Forwarded` is read as RFC 7239 defines.",
    )
    forwarded_hops: int = Field(
        default=1, ge=0, description="Number of trusted proxies that append to that header. 0: no proxy."
    )
    requests_per_user_per_second: float = Field(
        default=50.0, gt=0, description="Rate limit. Requests beyond it get 429."
    )
    sign_ins_per_address_per_second: float = Field(
        default=5.0, gt=0, description="Rate limit of sign-in attempts and unknown devices, per network address."
    )
    idempotency_hours: float = Field(
        default=24, gt=0, description="A repeated `Idempotency-Key` gets the first answer for this time."
    )

    @field_validator("allowed_origins")
    @classmethod
    def normalise_origins(cls, origins: list[str]) -> list[str]:
        """Normalise each origin to the form that browsers send: lower case, no trailing slash, no default port."""
        return list(dict.fromkeys(_origin(each.strip()) for each in origins))


def _origin(text: str) -> str:
    if text == "*":
        return text
    if (origin := origin_of(text)) is not None:
        return origin
    if _OTHER_ORIGIN.fullmatch(other := text.lower().removesuffix("/")):
        return other
    raise ValueError(f"{text!r} is not an origin. Use scheme, host and port without a path")


def http_url(host: str, port: int) -> str:
    """The HTTP URL of a host; an empty host means all addresses."""
    url_host = f"[{host}]" if ":" in host else host or "0.0.0.0"  # noqa: S104 - part of a URL, not bound
    return f"http://{url_host}:{port}"


class DefaultStageSettings(BaseModel):
    """The existing web client, which calls `/default`. Add its origin to `api.allowed_origins`."""

    enabled: bool = Field(default=True, description="Serve `/default` on a local stack.")
    redirect_uri: str = Field(default="", description="Redirect URI of that client.")
    gym_number: int = Field(default=1, ge=1, description="Number of the gym that this client shows.")
    pass_validity_s: int = Field(
        default=300,
        ge=45,
        le=900,
        description="Validity of this client's passes, which it does not renew. All other passes: 45 s.",
    )


class StripeSettings(BaseModel):
    """Payments by Stripe. Without an API key nothing can be bought; without a webhook secret no event is accepted."""

    api_key: SecretStr = Field(
        default=SecretStr(""), description="Secret key. A local stack without one starts the sandbox."
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signing secret of the webhook endpoint: `whsec_…`."
    )
    api_base: str = Field(default="", description="Alternative URL of Stripe's API: the sandbox of a local stack.")
    timeout_s: float = Field(
        default=8.0, gt=0, description="Timeout of one request. Retries use the same idempotency key."
    )
    retries: int = Field(default=2, ge=0, description="Retries after a network error or a rate limit.")


class PaymentSettings(BaseModel):
    """Orders, freezes and reminders."""

    reconcile_every_s: float = Field(
        default=120.0, gt=0, description="Interval of the job that checks open orders with Stripe."
    )
    recheck_after_s: float = Field(
        default=60.0, ge=0, description="Orders that were checked within this time are skipped."
    )
    remind_every_s: float = Field(default=600.0, gt=0, description="Interval of the job that sends reminders.")
    max_freeze_days: int = Field(
        default=31, ge=0, description="Maximum length of a freeze that a member sets. 0: staff only."
    )
    max_freeze_days_per_year: int = Field(
        default=62, ge=0, description="Maximum number of days per year that a member may freeze."
    )
    max_freeze_lead_days: int = Field(
        default=60, ge=0, description="Maximum time before the start of a freeze that a member sets."
    )


class LiveSettings(BaseModel):
    """The live view, `/api/live`."""

    enabled: bool = Field(default=True, description="Serve the live view on a local stack.")
    streams_per_principal: int = Field(
        default=20, ge=1, description="Maximum number of open streams per user or device."
    )


class ArchiveSettings(BaseModel):
    """The attendance archive: Delta Lake tables in a folder or in an S3 bucket."""

    enabled: bool = Field(default=True, description="Archive events on a local stack.")
    url: str = Field(
        default="",
        description="A folder, or `s3://bucket/prefix`. Default: `archive` in the data folder; in the full profile a "
        "bucket of the stack's own S3. In production: nothing is archived without it.",
    )
    region: str = Field(default="", description="AWS region of the bucket.")
    endpoint_url: str = Field(default="", description="Alternative S3 endpoint.")
    access_key_id: str = Field(
        default="", description="Access key for the alternative endpoint. AWS credentials come from the environment."
    )
    secret_access_key: SecretStr = Field(default=SecretStr(""), description="Secret key for the alternative endpoint.")
    linger_s: float = Field(
        default=15.0, ge=0, le=600, description="Events are gathered for this time, then written with one commit."
    )
    batch_max: int = Field(default=10_000, ge=1, le=200_000, description="Maximum number of events in one commit.")
    check_every_s: float = Field(
        default=900.0, gt=0, description="Interval of the job that verifies closed days and compacts files."
    )
    compact_above_files: int = Field(
        default=100, ge=2, description="A day that is not over is compacted beyond this number of files."
    )
    keep_old_files_hours: int = Field(
        default=48, ge=1, description="Files that were replaced are deleted after this time. Readers must be faster."
    )


class Settings(BaseSettings):
    """All settings of one process.

    Raises:
        pydantic.ValidationError: a value is invalid, or production lacks a required setting. Names the variables.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="ignore", hide_input_in_errors=True
    )

    profile: Profile = Field(default=Profile.EMBEDDED, description="Chooses the defaults.")
    host: str = Field(
        default="127.0.0.1", description="Address of the public port. All other ports listen on loopback."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the API.")
    data_dir: Path = Field(
        default=Path(".data"),
        description="Folder for keys, databases and logs. Two stacks need two folders and two ports.",
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
    archive: ArchiveSettings = ArchiveSettings()
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

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
        """Name the environment variable of each invalid value."""
        try:
            return handler(values)
        except ValidationError as error:
            former = former_variables(values) if isinstance(values, dict) else {}
            raise named_errors(error, cls.model_fields, former) from None

    @model_validator(mode="before")
    @classmethod
    def accept_deprecated_names(cls, values: Any) -> Any:  # noqa: ANN401 - pydantic's own
        """Accept former names of settings."""
        return with_current_names(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def fill_defaults(self) -> Self:
        """Set the defaults of the profile. In production, report everything that is missing."""
        self.data_dir = self.data_dir.absolute()
        public_url = self.api.public_url or http_url(self.host, self.port)
        if parse_web_url(public_url) is None:
            name = "FITMONITOR_API__PUBLIC_URL" if self.api.public_url else "FITMONITOR_HOST"
            raise ValueError(f"{name}: {public_url!r} is not an http(s) URL")
        self.api.public_url = origin_of(public_url) or public_url.rstrip("/")
        self.default_stage.redirect_uri = self.default_stage.redirect_uri or f"{self.api.public_url}/"
        self._validate_redirects()
        if self.profile is Profile.PRODUCTION:
            self._require_production_settings()
            return self
        keys = self.data_dir / "keys"
        if not self.database.url.get_secret_value() and self.profile is Profile.EMBEDDED:
            self.database.url = SecretStr(f"sqlite:///{self.data_dir / 'fitmonitor.sqlite3'}")
        self.passes.key_dir = self.passes.key_dir or keys / "passes"
        self.mail.folder = self.mail.folder or self.data_dir / "mail"
        self.images.folder = self.images.folder or self.data_dir / "images"
        if not self.archive.url and (self.profile is Profile.EMBEDDED or self.images.bucket):
            self.archive.url = str(self.data_dir / "archive")
        if self.archive.url and "://" not in self.archive.url:
            self.archive.url = str(Path(self.archive.url).absolute())
        if self.identity.user_pool_id:
            return self
        self.identity.signing_key_dir = self.identity.signing_key_dir or keys / "identity"
        self.identity.accounts_file = self.identity.accounts_file or self.data_dir / "accounts.sqlite3"
        self.identity.issuer = self.identity.issuer or "https://identity.fitmonitor.localhost/local"
        self.identity.jwks_url = (
            self.identity.jwks_url or (self.identity.signing_key_dir.absolute() / "jwks.json").as_uri()
        )
        return self

    def _validate_redirects(self) -> None:
        allowed = [("FITMONITOR_IDENTITY__REDIRECT_URIS", uri) for uri in self.identity.redirect_uris or []]
        for name, uri in (*allowed, ("FITMONITOR_DEFAULT_STAGE__REDIRECT_URI", self.default_stage.redirect_uri)):
            if not uri.isascii() or parse_web_url(uri) is None:
                raise ValueError(
                    f"{name}: {uri!r} is not a valid redirect URI. Use an absolute http or https URL without user "
                    "name, fragment or white space, as in https://app.example.com/callback"
                )

    def _require_production_settings(self) -> None:
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
            raise ValueError("Production requires these settings: " + ", ".join(missing))


def deprecated_settings_in_use() -> list[DeprecatedSetting]:
    """The deprecated settings in the environment of this process, which `Settings` still accepts."""
    return list(deprecated_among(LenientEnvironment(Settings)()))


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
