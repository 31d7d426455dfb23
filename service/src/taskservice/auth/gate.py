"""Which limits hold for which request of auth: per client address, and per account whoever asks."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from taskservice.kit.client_address import ClientAddresses
from taskservice.kit.limits import Counter, Headers, Limits, Rule
from taskservice.kit.settings import AuthSettings


@dataclass(frozen=True)
class Gate:
    """Each method is entered around what it limits, and raises RateLimited; `headers` are the answer's."""

    addresses: ClientAddresses
    limits: Limits
    register_address: Rule
    login_address: Rule
    login_account: Rule
    refresh_address: Rule
    password_account: Rule

    @classmethod
    def of(cls, settings: AuthSettings, counter: Counter) -> "Gate":
        return cls(
            addresses=ClientAddresses(settings.trusted_proxies),
            limits=Limits(counter),
            register_address=Rule.of("register-address", settings.limit_register_per_address),
            login_address=Rule.of("login-address", settings.limit_login_per_address),
            login_account=Rule.of("login-account", settings.limit_login_per_account),
            refresh_address=Rule.of("refresh-address", settings.limit_refresh_per_address),
            password_account=Rule.of("password-account", settings.limit_password_per_account),
        )

    def registration(self, headers: Headers, address: str) -> AbstractAsyncContextManager[None]:
        return self.limits.applied(headers, (self.register_address, address))

    def login(self, headers: Headers, address: str, email: str) -> AbstractAsyncContextManager[None]:
        return self.limits.applied(headers, (self.login_address, address), (self.login_account, email))

    def refresh(self, headers: Headers, address: str) -> AbstractAsyncContextManager[None]:
        return self.limits.applied(headers, (self.refresh_address, address))

    def password(self, headers: Headers, user_id: str) -> AbstractAsyncContextManager[None]:
        return self.limits.applied(headers, (self.password_account, user_id))
