"""`SecuritySettings`: how clients and nodes authenticate, and what protects the bytes between them."""

from __future__ import annotations

from kafkapy.settings.area import Area


class SecuritySettings(Area):
    """SASL, TLS, ACLs and delegation tokens. A listener may have its own: `Settings.listener_security`."""

    authorizer_class_name: str = ""
    principal_builder_class: str = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"
    connections_max_reauth_ms: int = 0
    sasl_enabled_mechanisms: tuple[str, ...] = ("GSSAPI",)
    sasl_mechanism_inter_broker_protocol: str = "GSSAPI"
    sasl_mechanism_controller_protocol: str = "GSSAPI"
    sasl_jaas_config: str | None = None
    sasl_server_max_receive_size: int = 524_288
    delegation_token_secret_key: str | None = None
    delegation_token_max_lifetime_ms: int = 604_800_000
    delegation_token_expiry_time_ms: int = 86_400_000
    delegation_token_expiry_check_interval_ms: int = 3_600_000
    ssl_allow_dn_changes: bool = False
    ssl_allow_san_changes: bool = False
    ssl_client_auth: str = "none"
    ssl_cipher_suites: tuple[str, ...] = ()
    ssl_enabled_protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ssl_endpoint_identification_algorithm: str = "https"
    ssl_engine_factory_class: str | None = None
    ssl_key_password: str | None = None
    ssl_keystore_certificate_chain: str | None = None
    ssl_keystore_key: str | None = None
    ssl_keystore_location: str | None = None
    ssl_keystore_password: str | None = None
    ssl_keystore_type: str = "JKS"
    ssl_protocol: str = "TLSv1.3"
    ssl_provider: str | None = None
    ssl_truststore_certificates: str | None = None
    ssl_truststore_location: str | None = None
    ssl_truststore_password: str | None = None
    ssl_truststore_type: str = "JKS"
    ssl_principal_mapping_rules: str = "DEFAULT"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"  # passwords stay out of logs and tracebacks
