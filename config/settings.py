"""Django settings. What differs between installations comes from the environment (see `config/env.py`)."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from config import env

env.load_local_stack(env.ROOT / env.text("MYRIAD_LOCAL_DIR", ".local"))

DEBUG = env.flag("DEBUG")
# Empty when unset: Django then refuses to sign anything, so a forgotten key fails closed.
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", "127.0.0.1,localhost")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000")
# Which build of the code runs; stands in the lineage of what it computes. Images of the service carry it.
VERSION = env.text("MYRIAD_VERSION", "development")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "tenants",
    "projects",
    "training",
    "fleet",
    "workers",
]
MIDDLEWARE = [
    "tenants.api.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "tenants.web.bodies.BodyLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.ROOT / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["django.templatetags.static", "tenants.templatetags.pages"],
        },
    }
]

# `default` is the server's role under row-level security. The others exist only where their address is given:
# migrations run as the owner, backfills and erasure as maint, the first start as the administrator.
# Without an address nothing answers there, so a forgotten one fails at the first query.
DATABASE_URL = env.text("DATABASE_URL", "postgresql://myriad_app@127.0.0.1:5432/myriad")
DATABASES = {
    "default": env.database(DATABASE_URL),
    **{
        alias: env.database(env.text(variable)) | {"CONN_MAX_AGE": 0}
        for alias, variable in {
            "owner": "DATABASE_OWNER_URL",
            "maint": "DATABASE_MAINT_URL",
            "admin": "DATABASE_ADMIN_URL",
            # The dispatcher's advisory lock belongs to a session, which a transaction pooler would not keep.
            "direct": "DATABASE_DIRECT_URL",
        }.items()
        if env.text(variable)
    },
}
DATABASES.setdefault("direct", env.database(DATABASE_URL) | {"CONN_MAX_AGE": 0})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]

# Who signs in holds a session; what a session may do is looked up with each request (tenants.domain.seats).
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_NAME = "myriad_session"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "myriad_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "tenants.web.problems.csrf_failed"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL.rstrip("/")] if HTTPS else []
LOGIN_URL = "sign-in"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# The web admin's files, built by `deploy.assets` and named by their hashes, so that browsers keep them for good.
STATIC_URL = "/static/"
STATICFILES_DIRS = [("built", env.ROOT / "config" / "assets" / "built")]
STATIC_ROOT = Path(env.text("STATIC_ROOT") or env.ROOT / "build" / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL") or None
# What clients are told, where it differs from the address the server uses.
S3_PUBLIC_URL = env.text("S3_PUBLIC_URL") or S3_ENDPOINT_URL
S3_BUCKET = env.text("S3_BUCKET", "myriad")
S3_ROLE_ARN = env.text("S3_ROLE_ARN")
# Only `manage.py storage bootstrap` uses them; the service's own identity may not make buckets.
S3_ADMIN_CREDENTIALS = (
    {
        "access_key": env.text("S3_ADMIN_ACCESS_KEY_ID"),
        "secret_key": env.text("S3_ADMIN_SECRET_ACCESS_KEY"),
    }
    if env.text("S3_ADMIN_ACCESS_KEY_ID")
    else {}
)
AWS_REGION = env.text("AWS_REGION", "us-east-1")

# Seconds. A worker renews its lease every second; one that dies is noticed after the lease.
JOB_LEASE_SECONDS = env.number("JOB_LEASE_SECONDS", 10)
# Seconds within which a dispatched job must be taken, or it goes back to the queue.
JOB_DISPATCH_SECONDS = env.number("JOB_DISPATCH_SECONDS", 30)
WORKER_POOL = env.text("WORKER_POOL", "cpu")
WORKER_SLOTS = env.number("WORKER_SLOTS", 2)

# Converted backbones and their graphs, made by `manage.py backbone`; the engine child may read this folder.
BACKBONE_DIR = Path(env.text("BACKBONE_DIR") or env.ROOT / ".local" / "backbones")
# What the resident engine child may take: memory, disk for features, threads.
ENGINE_RESIDENT_BYTES = env.number("ENGINE_RESIDENT_BYTES", 2_500_000_000)
ENGINE_SCRATCH_BYTES = env.number("ENGINE_SCRATCH_BYTES", 8_000_000_000)
ENGINE_THREADS = env.number("ENGINE_THREADS", os.cpu_count() or 1)

# Hosted prediction has a process of its own (`config.serving_wsgi`). The web hands it what is asked of it there;
# behind an ingress that knows both, PREDICT_URL stays empty.
PREDICT_URL = env.text("PREDICT_URL")
SERVES_PREDICTIONS = env.flag("SERVES_PREDICTIONS")
PIXEL_POOL = "workers.children.pixel_pool.PixelPool"
# Models' weights kept in memory, and how many pictures are computed at a time, each on so many threads.
SERVING_CACHE_BYTES = env.number("SERVING_CACHE_BYTES", 256_000_000)
SERVING_SLOTS = env.number("SERVING_SLOTS", os.cpu_count() or 1)
SERVING_THREADS = env.number("SERVING_THREADS", 1)

# The bounded doors through which image bytes pass the web process (multipart POST and predict).
MAX_DOOR_BYTES = 20 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_DOOR_BYTES + 64 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
DATA_UPLOAD_MAX_NUMBER_FILES = 1

# Requests a second / at once, counted by `tenants.rate_limits`: of an API key, and of all keys of a tenant.
RATE_LIMIT_KEY = env.rate("RATE_LIMIT_KEY", "50/500")
RATE_LIMIT_TENANT = env.rate("RATE_LIMIT_TENANT", "200/2000")
# Of one client address: what is posted without a key (each checks a password), and keys that are none.
RATE_LIMIT_ADDRESS = env.rate("RATE_LIMIT_ADDRESS", "1/60")
RATE_LIMIT_FAILURES = env.rate("RATE_LIMIT_FAILURES", "2/120")
# How many proxies of our own stand before the web, each adding to X-Forwarded-For. 0 trusts none: the address is that
# of the connection, which behind an ingress is the ingress's, one for everybody.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0)
if HTTPS and TRUSTED_PROXIES:
    # They say by X-Forwarded-Proto how they were asked, and must overwrite what a client says of it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Nothing but our own files, and pictures and uploads to and from S3; no inline script, no inline style.
S3_ORIGINS = (
    ["{0.scheme}://{0.netloc}".format(urlsplit(S3_PUBLIC_URL))]
    if S3_PUBLIC_URL
    # With the bucket in the path, as our clients ask for it.
    else [f"https://s3.{AWS_REGION}.amazonaws.com", "https://s3.amazonaws.com"]
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        # blob: is how a page shows the file that is about to be sent; data: stands in our own style sheets.
        "img-src": ["'self'", "data:", "blob:", *S3_ORIGINS],
        "connect-src": ["'self'", *S3_ORIGINS],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.api.permissions.DeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.api.parsers.ShallowJSONParser"],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tenants.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Myriad",
    "DESCRIPTION": "Visual inspection models for ten thousand manufacturers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {"ImportStatusEnum": "projects.models.imports.Import.Status"},  # it stands in two components
    "PREPROCESSING_HOOKS": ["tenants.api.schema.without_pages"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tenants.api.schema.document_shared",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} tenant={tenant} request={request_id} {message}",
            "style": "{",
            "()": "logging.Formatter",
        },
    },
    "filters": {"trace": {"()": "tenants.tracing.TraceFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["trace"]},
    },
    # botocore tells where it found credentials, at INFO, for each client.
    "loggers": {name: {"level": "WARNING"} for name in ("botocore", "urllib3")},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
}
