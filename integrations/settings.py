"""Every setting of the system, read from the environment.

The prefix is `FITMONITOR_`; groups are nested with two underscores, as in
`FITMONITOR_DATABASE__URL`. The profile chooses defaults only: each part can be
replaced by its own setting. A secret that is missing stops the start with its name.
"""

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Profile(StrEnum):
    """Which parts stand behind the code unless a setting says otherwise."""

    EMBEDDED = "embedded"
    FULL = "full"
    PRODUCTION = "production"


class DatabaseSettings(BaseModel):
    """The store. `url` is SQLAlchemy's, with the password in it, hence secret."""

    url: SecretStr = SecretStr("")
    pool_size: int = Field(default=8, ge=1, le=200)
    statement_timeout_s: float = Field(default=5.0, gt=0)


class KafkaSettings(BaseModel):
    """Kafka and the topics used on it."""

    bootstrap_servers: str = ""
    security_protocol: str = "PLAINTEXT"
    commands_topic: str = "door-commands"
    replies_topic: str = "door-replies"
    events_topic: str = "gym-events"
    dead_letters_topic: str = "dead-letters"
    commands_partitions: int = Field(default=64, ge=1)
    replies_partitions: int = Field(default=16, ge=1)
    door_group: str = "door-consumers"
    session_timeout_ms: int = Field(default=6000, description="How long a killed consumer's partitions stay dark.")


class DoorSettings(BaseModel):
    """Limits on the way of a scan; the rules themselves stand in `domain/door`."""

    deadline_s: float = Field(default=1.8, gt=0, description="A decision later than this after arrival is none.")
    repeat_window_s: float = Field(default=15.0, ge=0, description="A phone held up is answered again for so long.")
    batch_max: int = Field(default=256, ge=1, description="Commands that the consumer decides in one transaction.")
    handle_batch_max: int = Field(default=64, ge=1, description="Scans that the gateway puts into one handle call.")
    handle_calls_in_flight: int = Field(default=2, ge=1)
    scans_per_device_per_second: float = Field(default=50.0, gt=0)
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

    key_dir: Path | None = None


class IdentitySettings(BaseModel):
    """Which access tokens are accepted."""

    issuer: str = ""
    client_id: str = "fitmonitor-local"
    jwks_url: str = ""
    leeway_s: float = 60.0
    signing_key_dir: Path | None = Field(default=None, description="The local provider's keys; unset in production.")


class ApiSettings(BaseModel):
    """Limits of the HTTP interface."""

    max_body_bytes: int = Field(default=64 * 1024, ge=1024)


class Settings(BaseSettings):
    """All settings of one process.

    Raises:
        pydantic.ValidationError: naming every setting that production needs and lacks.
    """

    model_config = SettingsConfigDict(env_prefix="FITMONITOR_", env_nested_delimiter="__", extra="ignore")

    profile: Profile = Profile.EMBEDDED
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    data_dir: Path = Path(".data")
    database: DatabaseSettings = DatabaseSettings()
    kafka: KafkaSettings = KafkaSettings()
    door: DoorSettings = DoorSettings()
    consumers: ConsumerSettings = ConsumerSettings()
    passes: PassSettings = PassSettings()
    identity: IdentitySettings = IdentitySettings()
    api: ApiSettings = ApiSettings()
    log_level: str = "INFO"

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Fill what the profile implies; in production name everything that is missing."""
        self.data_dir = self.data_dir.absolute()
        if self.profile is Profile.PRODUCTION:
            self._refuse_gaps()
            return self
        keys = self.data_dir / "keys"
        if not self.database.url.get_secret_value() and self.profile is Profile.EMBEDDED:
            self.database.url = SecretStr(f"sqlite:///{self.data_dir / 'fitmonitor.sqlite3'}")
        self.passes.key_dir = self.passes.key_dir or keys / "passes"
        self.identity.signing_key_dir = self.identity.signing_key_dir or keys / "identity"
        self.identity.issuer = self.identity.issuer or "https://identity.fitmonitor.localhost/local"
        self.identity.jwks_url = self.identity.jwks_url or (keys / "identity" / "jwks.json").as_uri()
        return self

    def _refuse_gaps(self) -> None:
        needed = {
            "FITMONITOR_DATABASE__URL": self.database.url.get_secret_value(),
            "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "FITMONITOR_PASSES__KEY_DIR": self.passes.key_dir,
            "FITMONITOR_IDENTITY__ISSUER": self.identity.issuer,
            "FITMONITOR_IDENTITY__JWKS_URL": self.identity.jwks_url,
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
