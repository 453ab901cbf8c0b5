"""Who may do what in the local S3. On AWS the same three are an IAM user, a role and a bucket's owner."""

import base64
from typing import Any

from deploy.local.keys import Keys

ROLE_ARN = "arn:aws:iam::role/MyriadTenant"
VERSION = "2012-10-17"


def identities(keys: Keys, bucket: str) -> dict[str, Any]:
    """weed's static identities.

    `service` signs POST forms, because weed takes none signed with temporary credentials (4.48 answers
    InvalidAccessKeyId). For a form it asks for `Write` on the whole bucket, then for a policy that allows the
    key; the policy is also what refuses any other request of this identity outside `t/*/incoming/*`.
    """
    return {
        "identities": [
            {
                "name": "admin",
                "credentials": [{"accessKey": keys.s3_admin_id, "secretKey": keys.s3_admin_secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            },
            {
                "name": "service",
                "credentials": [{"accessKey": keys.s3_service_id, "secretKey": keys.s3_service_secret}],
                "actions": [f"Write:{bucket}"],
                "policyNames": ["MyriadIncoming"],
            },
        ]
    }


def iam_config(keys: Keys, bucket: str) -> dict[str, Any]:
    """weed's STS: the role that all tenants' credentials come from, each narrowed by a session policy.

    The role trusts `service` alone. Were it open to any principal, a tenant's session could assume it again
    without a session policy and hold the whole bucket (tried).
    """
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "myriad-local",
            "signingKey": base64.b64encode(keys.sts_signing.encode()).decode(),
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            {
                "roleName": "MyriadTenant",
                "roleArn": ROLE_ARN,
                "trustPolicy": _policy(
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": ["arn:aws:iam::000000000000:user/service"]},
                        "Action": ["sts:AssumeRole"],
                    }
                ),
                "attachedPolicies": ["MyriadTenants"],
            }
        ],
        "policies": [
            {"name": "MyriadTenants", "document": _tenants(bucket)},
            {
                "name": "MyriadIncoming",
                "document": _policy(_allow(f"arn:aws:s3:::{bucket}/t/*/incoming/*", "PutObject")),
            },
        ],
    }


def _tenants(bucket: str) -> dict[str, Any]:
    """All that any tenant may do anywhere under `t/`; a session policy cuts it down to one prefix."""
    objects = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")
    return _policy(
        _allow(f"arn:aws:s3:::{bucket}/t/*", *objects),
        _allow(f"arn:aws:s3:::{bucket}", "ListBucket", "ListBucketMultipartUploads"),
    )


def _allow(resource: str, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": [f"s3:{action}" for action in actions], "Resource": [resource]}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}
