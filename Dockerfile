# One image for every service and clock; docker-compose.yml chooses the command.
ARG BASE_IMAGE=python:3.13-slim-bookworm
FROM ${BASE_IMAGE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
RUN python3 -m venv /opt/schakel
ENV PATH=/opt/schakel/bin:$PATH

COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY shared ./shared
COPY services ./services
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && useradd --system --uid 10001 schakel

USER schakel
CMD ["schakel", "--help"]
