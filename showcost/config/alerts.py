"""Alerts and nightly verification: who is told, when something counts as late, and where the head is kept.

The settings contain no secrets: the address of a webhook, user names and passwords are named by their
environment variables.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from showcost.config.hosts import LOOPBACK_NAMES, VariableName
from showcost.config.loading import ConfigModel

Address = Annotated[str, Field(pattern=r"^[^@\s,;<>\"()\\]{1,64}@[A-Za-z0-9.-]{1,190}$")]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:.-]{1,190}$")]


class _AlertSettings(ConfigModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class LogSink(_AlertSettings):
    """Alerts in the log of the tick, or of the command."""

    type: Literal["log"]

    @property
    def name(self) -> str:
        """The name of the sink in messages and in its state."""
        return self.type


class WebhookSink(_AlertSettings):
    """Alerts as JSON by POST; `text` in it is what Slack, Mattermost and Teams show.

    As with vendors' APIs: https, public addresses and no redirects, or plain http to this machine.
    """

    type: Literal["webhook"]
    url_variable: VariableName
    """Environment variable with the URL, which is a secret with most services."""
    token_variable: VariableName | None = None
    """Environment variable with a token, sent as `Authorization: Bearer`."""

    @property
    def name(self) -> str:
        """The name of the sink in messages and in its state."""
        return f"webhook {self.url_variable}"


class SmtpSink(_AlertSettings):
    """Alerts by e-mail."""

    type: Literal["smtp"]
    host: HostName
    """Mail server."""
    port: int = Field(587, ge=1, le=65_535)
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """Encryption; `none` only for a server on this machine."""
    sender: Address
    """Address of the sender."""
    recipients: tuple[Address, ...] = Field(min_length=1)
    """Addresses of the recipients."""
    user_variable: VariableName | None = None
    """Environment variable with the user name; without it there is no login."""
    password_variable: VariableName | None = None
    """Environment variable with the password."""

    @property
    def name(self) -> str:
        """The name of the sink in messages and in its state."""
        return f"smtp {self.host}"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.user_variable is None) != (self.password_variable is None):
            raise ValueError("user_variable and password_variable together")
        if self.security == "none" and self.host not in LOOPBACK_NAMES:
            raise ValueError("security: starttls or tls, unless the mail server is on this machine")
        return self


Sink = Annotated[LogSink | WebhookSink | SmtpSink, Field(discriminator="type")]


class AlertPolicy(_AlertSettings):
    """The sinks of alerts, and the time after which something is one."""

    sinks: tuple[Sink, ...] = (LogSink(type="log"),)
    """Sinks of alerts: `log`, `webhook`, `smtp`; each gets all of them."""
    repeat_hours: int = Field(24, ge=1, le=720)
    """Hours after which an alert that is still open is sent again."""
    queue_days: int = Field(7, ge=1, le=365)
    """Days after which an open row of the reconciliation queue is an alert."""
    stuck_hours: int = Field(3, ge=1, le=168)
    """Hours for which a date may stay due, or a file lie in the inbox, without an alert."""
    rate_days: int = Field(4, ge=1, le=30)
    """Days for which rows of a date may wait for its rate without an alert."""
    vendor_hours: int = Field(6, ge=1, le=168)
    """Hours for which pages of a vendor's API may be missing without an alert."""
    verify_days: int = Field(2, ge=1, le=60)
    """Days without a verification of the whole ledger after which it is overdue."""

    @model_validator(mode="after")
    def _sinks_differ(self) -> Self:
        names = [sink.name for sink in self.sinks]
        if len(set(names)) < len(names):
            raise ValueError("each sink once")
        return self


class VerificationPolicy(_AlertSettings):
    """The nightly verification, and the places that the head of the audit log is sent to."""

    full_days: int = Field(7, ge=1, le=60)
    """Days after which every byte is read again although nothing has changed."""
    head_to: tuple[Literal["alerts", "file", "command"], ...] = ("alerts",)
    """Targets of the head: `alerts`, through the sinks of alerts; `file`, appended to `head_file`;
    `command`, on the standard input of the program that `command_variable` names."""
    head_file: str | None = Field(None, pattern=r"^/")
    """File on a disk that this machine can only append to, such as a write-once share; an absolute path."""
    command_variable: VariableName | None = None
    """Environment variable with a program and its arguments; the data folder cannot name a program."""

    @model_validator(mode="after")
    def _targets_are_described(self) -> Self:
        if ("file" in self.head_to) != (self.head_file is not None):
            raise ValueError("head_file if and only if head_to has `file`")
        if ("command" in self.head_to) != (self.command_variable is not None):
            raise ValueError("command_variable if and only if head_to has `command`")
        return self
