"""Where the parts answer, and with which passwords: what the stack tells the settings and the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

# Only bootstrap commands get these: web, dispatcher and worker run without the rights they give.
PRIVILEGED = (
    "DATABASE_ADMIN_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_MAINT_URL",
    "S3_ADMIN_ACCESS_KEY_ID",
    "S3_ADMIN_SECRET_ACCESS_KEY",
)


@dataclass(frozen=True)
class Addresses:
    """Each field is the environment variable of that name. Empty: not ours to say (the part was replaced)."""

    database_url: str = ""
    database_owner_url: str = ""
    database_maint_url: str = ""
    database_admin_url: str = ""
    database_direct_url: str = ""
    redis_url: str = ""
    s3_endpoint_url: str = ""
    s3_public_url: str = ""
    s3_bucket: str = ""
    s3_role_arn: str = ""
    aws_access_key_id: str = ""
    aws_secret_access_key: str = ""
    aws_region: str = ""
    s3_admin_access_key_id: str = ""
    s3_admin_secret_access_key: str = ""
    secret_key: str = ""
    allowed_hosts: str = ""
    public_url: str = ""
    predict_url: str = ""

    def env(self) -> dict[str, str]:
        values = {field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in values.items() if value}


def without_privileges(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in PRIVILEGED}
